package import DionysusSchemas

/// How a file writes what columns of Debezium's rows hold.
package enum DebeziumColumnType {
    private static let types: [(name: String, type: DebeziumColumn)] = [
        ("days", .days), ("time_milliseconds", .timeMilliseconds), ("time_microseconds", .timeMicroseconds),
        ("time_nanoseconds", .timeNanoseconds), ("milliseconds", .milliseconds), ("microseconds", .microseconds),
        ("nanoseconds", .nanoseconds), ("json", .json),
    ]

    /// The names of types without a scale.
    package static var names: [String] { types.map(\.name) }

    /// The names of orders.
    package static let orders: [(name: String, order: DebeziumOrder)] = [
        ("position", .position), ("time", .time), ("none", .none),
    ]

    /// The type of a name; nil if there is none.
    package static func type(named name: String) -> DebeziumColumn? {
        if let match = name.wholeMatch(of: /decimal\(([0-9]{1,3})\)/) {
            return Int(match.1).map { .decimal(scale: $0) }
        }
        return types.first { $0.name == name }?.type
    }

    /// The name of a type.
    static func name(of type: DebeziumColumn) -> String {
        if case .decimal(let scale) = type { return "decimal(\(scale))" }
        return types.first { $0.type == type }?.name ?? ""
    }
}
