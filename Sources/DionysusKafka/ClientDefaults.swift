import Dionysus

extension ClientSettings {
    /// With librdkafka's default, it takes 15 s to reconnect to a broker that was unavailable for a minute.
    private static let longestReconnectPause = "2000"

    /// The settings of a producer.
    static func producer(_ options: ProducerOptions, cluster: [String: String]) throws -> ClientSettings {
        try ClientSettings(
            defaults: [
                // librdkafka's default delays small requests by tens of milliseconds.
                "socket.nagle.disable": "true",
                "reconnect.backoff.max.ms": longestReconnectPause,
                // Batches are enqueued as a whole, so there is little to wait for.
                "linger.ms": "0.2",
                // How long a message waits for a missing topic, and how soon new partitions are seen.
                "topic.metadata.propagation.max.ms": "5000",
                "topic.metadata.refresh.interval.ms": "10000",
            ],
            layers: [cluster, ["client.id": options.clientID], options.settings],
            fixed: [
                Fixed(
                    names: ["enable.idempotence"],
                    value: "true",
                    advice: "order and retries depend on it; leave the setting out"
                ),
                Fixed(
                    names: ["acks", "request.required.acks"],
                    value: "all",
                    advice: "an acknowledged message must not be lost; leave the setting out"
                ),
                Fixed(
                    names: ["message.timeout.ms", "delivery.timeout.ms"],
                    value: String(max(1, options.messageTimeout.milliseconds)),
                    advice: "set the producer's message timeout instead"
                ),
                Fixed(
                    names: ["sticky.partitioning.linger.ms"],
                    value: "0",
                    advice: "it would override the partitioner for messages without a key; leave the setting out"
                ),
                Fixed(
                    names: ["partitioner"],
                    value: "consistent_random",
                    advice: "set the producer's partitioner instead"
                ),
            ]
        )
    }

    /// The settings of a consumer.
    /// - Parameters:
    ///   - cluster: The user's settings for all clients.
    ///   - partitions: The number of partitions that share the prefetch limit.
    static func consumer(
        _ options: ConsumerOptions,
        cluster: [String: String],
        partitions: Int = 1
    ) throws -> ClientSettings {
        let memory = FetchMemory(
            bytes: options.maxBufferedBytes,
            partitions: partitions,
            largestMessage: (options.settings["message.max.bytes"] ?? cluster["message.max.bytes"]).flatMap { Int($0) }
        )
        return try ClientSettings(
            defaults: [
                "socket.nagle.disable": "true",
                "reconnect.backoff.max.ms": longestReconnectPause,
                "partition.assignment.strategy": "cooperative-sticky",
                // librdkafka's threads keep the membership alive, so only a dead process is silent this long. A cluster
                // needs 9 s to notice the loss of a group's coordinator; the members must outlast that.
                "session.timeout.ms": "20000",
                // Also how soon a member learns of a rebalance.
                "heartbeat.interval.ms": "1000",
                // How soon new topics and partitions are seen.
                "topic.metadata.refresh.interval.ms": "10000",
                "queued.min.messages": "20000",
                // Before version 2.2, this is also the pause before fetching again once the prefetch limit was reached.
                "fetch.error.backoff.ms": "50",
                // A lagging partition waits this long for partitions without new messages.
                "fetch.wait.max.ms": "50",
            ]
            .merging(memory.settings) { $1 },
            layers: [cluster, ["client.id": options.clientID], options.settings],
            fixed: [
                Fixed(names: ["group.id"], value: options.groupID, advice: "set the consumer's group instead"),
                Fixed(
                    names: ["enable.auto.commit"],
                    value: "false",
                    advice: "positions are kept with the data; leave the setting out"
                ),
                Fixed(
                    names: ["enable.auto.offset.store"],
                    value: "false",
                    advice: "positions are kept with the data; leave the setting out"
                ),
                Fixed(
                    names: ["enable.partition.eof"],
                    value: "true",
                    advice: "the lag behind transactional producers depends on it; leave the setting out"
                ),
                Fixed(
                    names: ["auto.offset.reset"],
                    value: "error",
                    advice: "choose the start position of the topic instead"
                ),
            ]
        )
    }
}
