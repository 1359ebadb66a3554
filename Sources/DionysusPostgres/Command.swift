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

    /// What a prepared statement is known by: the text, and the types of its values.
    struct Shape: Hashable {
        let text: String
        let types: [UInt32]
    }

    var shape: Shape { Shape(text: text, types: parameters.map(\.type)) }

    /// Whether there is a plan to be kept: `BEGIN` and the like have none.
    var isPreparable: Bool { Self.planned.contains { text.hasPrefix($0) } }

    private static let planned = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "]

    /// The lengths of the text and of its longest value, in bytes.
    var size: (text: Int, longestValue: Int) {
        (text.utf8.count, parameters.lazy.map { $0.bytes?.count ?? 0 }.max() ?? 0)
    }

    /// About how many bytes it sends.
    var byteCount: Int { parameters.reduce(text.utf8.count) { $0 + ($1.bytes?.count ?? 0) } }

    /// Puts it into the pipeline.
    /// - Returns: Whether libpq took it.
    func enqueue(on connection: OpaquePointer, _ sending: PreparedStatements.Sending) -> Bool {
        // One after the other, each with a zero byte behind it, which ends text.
        var values: [UInt8] = []
        values.reserveCapacity(parameters.reduce(0) { $0 + ($1.bytes?.count ?? 0) + 1 })
        var starts: [Int?] = []
        for parameter in parameters {
            starts.append(parameter.bytes.map { _ in values.count })
            if let bytes = parameter.bytes { values += bytes }
            values.append(0)
        }
        let count = Int32(parameters.count)
        let types = parameters.map(\.type)
        let lengths = parameters.map { Int32(truncatingIfNeeded: $0.bytes?.count ?? 0) }
        let formats: [Int32] = parameters.map { $0.isBinary ? 1 : 0 }
        return values.withUnsafeBytes { values in
            let pointers = starts.map { start in
                start.flatMap { start in values.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) } }
            }
            switch sending {
            case .unprepared:
                return PQsendQueryParams(connection, text, count, types, pointers, lengths, formats, 0) == 1
            case .preparing(let name):
                return PQsendPrepare(connection, name, text, count, types) == 1
                    && PQsendQueryPrepared(connection, name, count, pointers, lengths, formats, 0) == 1
            case .prepared(let name):
                return PQsendQueryPrepared(connection, name, count, pointers, lengths, formats, 0) == 1
            }
        }
    }
}
