import Dionysus

/// The settings of a consumer that the embedded log knows.
///
/// They have the names that librdkafka gives them.
struct ReaderSettings: Sendable {
    /// `session.timeout.ms`, 10 s by default: how long a member that shows no sign of life keeps its partitions.
    var sessionTimeout: Duration = .seconds(10)
    /// `fetch.max.bytes`, 50 MiB by default: how much is read at once; at least one message always is.
    var maximumFetchBytes = 52_428_800

    init(_ settings: [String: String]) throws {
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "session.timeout.ms": sessionTimeout = .milliseconds(try Self.number(name, value))
            case "fetch.max.bytes": maximumFetchBytes = try Self.number(name, value)
            default:
                throw DionysusError(
                    .configuration,
                    "the embedded log has no consumer setting \(name)",
                    advice: "remove it; session.timeout.ms and fetch.max.bytes are known"
                )
            }
        }
    }

    private static func number(_ name: String, _ value: String) throws -> Int {
        guard let number = Int(value), number > 0 else {
            throw DionysusError(
                .configuration,
                "the consumer setting \(name) must be a whole number above zero",
                advice: "correct it, or remove it to get the default"
            )
        }
        return number
    }
}
