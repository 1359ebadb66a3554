/// How much librdkafka fetches ahead: it counts by partition, while the limit here is for all of them.
struct FetchMemory {
    /// The limit for one partition, in bytes.
    private static let largestShare = 16 << 20
    /// librdkafka's defaults.
    private static let (largestFetch, largestPartitionFetch, largestMessage) = (50 << 20, 1 << 20, 1_000_000)

    private let share: Int
    private let fetch: Int

    /// - Parameters:
    ///   - bytes: The limit for all partitions; nil for a default per partition.
    ///   - partitions: The number of partitions that share it.
    ///   - largestMessage: The user's `message.max.bytes`; librdkafka rejects a smaller fetch limit.
    init(bytes: Int?, partitions: Int, largestMessage: Int?) {
        guard let bytes else {
            (share, fetch) = (Self.largestShare, Self.largestFetch)
            return
        }
        share = min(max(bytes / max(1, partitions), 1_024), Self.largestShare)
        fetch = max(min(bytes / 4, Self.largestFetch), largestMessage ?? Self.largestMessage)
    }

    /// The settings that this version of librdkafka supports.
    var settings: [String: String] {
        let settings = [
            "queued.max.messages.kbytes": String(max(1, share / 1_024)),
            "fetch.max.bytes": String(fetch),
            // The limit can be exceeded by one fetch, because it is checked before a fetch.
            "fetch.message.max.bytes": String(max(1, min(share, Self.largestPartitionFetch))),
            "fetch.queue.backoff.ms": "20",
        ]
        return settings.filter { SettingsDisplay.exists($0.key) }
    }
}
