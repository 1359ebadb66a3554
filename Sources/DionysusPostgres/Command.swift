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
        // One after the other, each with a zero byte behind it, which ends text.
        var values: [UInt8] = []
        values.reserveCapacity(parameters.reduce(0) { $0 + ($1.bytes?.count ?? 0) + 1 })
        var starts: [Int?] = []
        for parameter in parameters {
            starts.append(parameter.bytes.map { _ in values.count })
            if let bytes = parameter.bytes { values += bytes }
            values.append(0)
        }
        return values.withUnsafeBytes { values in
            PQsendQueryParams(
                connection,
                text,
                Int32(parameters.count),
                parameters.map(\.type),
                starts.map { start in
                    start.flatMap { start in values.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
                    }
                },
                parameters.map { Int32(truncatingIfNeeded: $0.bytes?.count ?? 0) },
                parameters.map { $0.isBinary ? 1 : 0 },
                0
            ) == 1
        }
    }
}
