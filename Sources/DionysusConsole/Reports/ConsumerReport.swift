import Dionysus
import DionysusConsumer

/// A group, its consumers, its partitions, and the topics that it reads.
struct ConsumerReport: Sendable {
    let group: String
    let lag: Reading<[PartitionLag]>
    let consumers: Reading<[RunningConsumer]>
    let topics: Reading<[TopicComparison]>
    let declared: [ConsumerOutline.Topic]
    let dead: [String]
    /// What operators have paused.
    let paused: Part<[TopicPartition: PausedPartition]>

    static func read(_ core: ConsoleCore, _ side: ObservedSystem.ConsumerSide) async -> ConsumerReport {
        async let lag = core.lag?.reading()
        async let consumers = core.consumers?.reading()
        async let topics = core.topics?.reading()
        let positions = ConsumerActions.positions(side, core.system.broker ?? UnreachableBroker())
        async let paused = Part.reading {
            Dictionary(try await positions.paused().map { ($0.partition, $0) }, uniquingKeysWith: { first, _ in first })
        }
        let none = "this console has no broker"
        return ConsumerReport(
            group: side.settings.effectiveGroupID,
            lag: await lag ?? .unreachable(reason: none, since: .now),
            consumers: await consumers ?? .unreachable(reason: none, since: .now),
            topics: await topics ?? .unreachable(reason: none, since: .now),
            declared: side.outline.topics,
            dead: side.outline.topics.compactMap(\.deadLetters),
            paused: await paused
        )
    }

    var json: JSON {
        .object([
            "group": .string(group), "lag_problem": .init(lag.problem),
            "partitions": .array(
                (lag.value ?? [])
                    .map { partition in
                        .object([
                            "topic": .string(partition.partition.topic),
                            "partition": .integer(Int64(partition.partition.partition)),
                            "position": .integer(partition.position), "end": .integer(partition.endOffset),
                            "lag": .init(partition.lag), "age": .init(partition.age?.inSeconds),
                            "out_of_range": .bool(partition.isOutOfRange), "loss": .init(partition.loss),
                            "paused_by": .init(paused.value?[partition.partition]?.actor),
                            "paused_at": .init(paused.value?[partition.partition]?.since),
                        ])
                    }
            ),
            "consumers": .array(
                (consumers.value ?? [])
                    .map { consumer in
                        .object([
                            "process": .string(consumer.process), "started_at": .init(consumer.startedAt),
                            "seen_at": .init(consumer.seenAt),
                        ])
                    }
            ),
            "consumers_problem": .init(consumers.problem),
            "topics": .array((topics.value ?? []).map(\.json)), "topics_problem": .init(topics.problem),
        ])
    }
}
