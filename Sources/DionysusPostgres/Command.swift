import CLibpq
import Dionysus

/// A statement as it goes to the server.
struct Command {
    /// Where a parameter is, and what it is.
    private struct Place {
        let location: Location
        let count: Int
        let isBinary: Bool
    }

    private enum Location {
        case null
        /// The place of its first byte among the values.
        case values(Int)
        /// The number of a long value.
        case longValue(Int)
    }

    private let text: String
    /// The parameters one after the other, each with a zero byte behind it, which ends text.
    private let values: [UInt8]
    /// The parameters that stay where they are.
    private let longValues: [LongValue]
    private let places: [Place]
    private let types: [UInt32]

    /// - Throws: ``DionysusError`` with code `typeMismatch` for a value that the server can't take.
    init(_ statement: (text: String, values: [DatabaseValue])) throws {
        text = statement.text
        let parameters = try statement.values.map(Parameter.init)
        let longValues = parameters.map(\.longValue)
        self.longValues = longValues.compactMap(\.self)
        var places: [Place] = []
        places.reserveCapacity(parameters.count)
        let capacity = zip(parameters, longValues).reduce(0) { $0 + ($1.1 == nil ? $1.0.capacity + 1 : 0) }
        var number = 0
        values = try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, end in
            for (parameter, longValue) in zip(parameters, longValues) {
                if let longValue {
                    places.append(
                        Place(location: .longValue(number), count: longValue.count, isBinary: parameter.isBinary)
                    )
                    number += 1
                    continue
                }
                let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[end...])
                let count = try parameter.write(into: rest)
                let location = parameter.isNull ? Location.null : .values(end)
                places.append(Place(location: location, count: count, isBinary: parameter.isBinary))
                rest[count] = 0
                end += count + 1
            }
        }
        self.places = places
        types = parameters.map(\.type)
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

    var shape: Shape { Shape(text: text, types: types) }

    /// Whether there is a plan to be kept: `BEGIN` and the like have none.
    var isPreparable: Bool { Self.planned.contains { text.hasPrefix($0) } }

    private static let planned = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "]

    /// The lengths of the text and of its longest value, in bytes.
    var size: (text: Int, longestValue: Int) {
        (text.utf8.count, places.lazy.map(\.count).max() ?? 0)
    }

    /// About how many bytes it sends.
    var byteCount: Int { text.utf8.count + values.count + longValues.reduce(0) { $0 + $1.count } }

    /// Puts it into the pipeline.
    /// - Returns: Whether libpq took it.
    func enqueue(on connection: OpaquePointer, _ sending: PreparedStatements.Sending) -> Bool {
        let count = Int32(places.count)
        let lengths = places.map { Int32(truncatingIfNeeded: $0.count) }
        let formats: [Int32] = places.map { $0.isBinary ? 1 : 0 }
        return withPointers { pointers in
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

    /// Lends the first byte of each parameter, or nil for null.
    private func withPointers<T>(_ body: ([UnsafePointer<CChar>?]) -> T) -> T {
        values.withUnsafeBytes { values in
            LongValue.withPointers(longValues[...]) { longValues in
                let pointers = places.map { place -> UnsafePointer<CChar>? in
                    switch place.location {
                    case .null: nil
                    case .values(let start):
                        values.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
                    case .longValue(let number): longValues[number]
                    }
                }
                return body(pointers)
            }
        }
    }
}
