import CLibpq
import Dionysus

/// A statement as it goes to the server.
struct Command {
    private let text: String
    private let parameters: [Parameter]

    /// - Throws: ``DionysusError`` with code `typeMismatch` for a value that the server can't take.
    init(_ statement: (text: String, values: [DatabaseValue])) throws {
        text = statement.text
        parameters = try statement.values.map(Parameter.init)
    }

    /// The first words, for messages.
    ///
    /// Values are not part of them.
    var summary: String {
        let words = text.prefix(200).prefix { $0 != "'" }.split(whereSeparator: \.isWhitespace).prefix(6)
        return words.joined(separator: " ")
    }

    /// Puts it into the pipeline.
    /// - Returns: Whether libpq took it.
    func enqueue(on connection: OpaquePointer) -> Bool {
        withCStrings(parameters.map(\.text)) { pointers in
            let types = parameters.map(\.type)
            return PQsendQueryParams(connection, text, Int32(parameters.count), types, pointers, nil, nil, 0) == 1
        }
    }
}
