/// What tells series of one metric apart: names and values, sorted by name.
struct Attributes: Sendable, Hashable {
    struct Pair: Sendable, Hashable {
        let name: String
        let value: String
    }

    let pairs: [Pair]

    /// Of attributes that a metric has too many of: OpenTelemetry's name for them all.
    static let overflow = Attributes([("otel.metric.overflow", "true")], longest: .max)

    /// - Parameters:
    ///   - dimensions: Names and values; of those with one name, the last counts.
    ///   - longest: How many characters a value may have; what is longer is cut.
    init(_ dimensions: [(String, String)], longest: Int) {
        var values: [String: String] = [:]
        for (name, value) in dimensions {
            values[name] = value.utf8.count > longest ? String(value.prefix(longest)) : value
        }
        pairs = values.sorted { $0.key < $1.key }.map { Pair(name: $0.key, value: $0.value) }
    }
}
