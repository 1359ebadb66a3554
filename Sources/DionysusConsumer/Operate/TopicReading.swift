package import Dionysus
import ServiceLifecycle

/// Reads a topic without joining a group.
package struct TopicReading: Sendable {
    /// The range that was read of a partition.
    package struct Span: Sendable {
        package let partition: TopicPartition
        /// The first offset.
        package let first: Int64
        /// The next offset to read.
        package internal(set) var next: Int64
        /// The partition's end when reading started.
        package let end: Int64
        /// The number of messages read.
        package internal(set) var count = 0
    }

    /// The wait without messages after which the remaining offsets count as gaps, which compaction and transactions
    /// leave.
    private let patience: Duration
    /// The maximum wait for the first message.
    private let firstPatience: Duration

    /// How often a topic that is followed is asked for new partitions.
    private static let pauseBetweenLooks = Duration.seconds(10)

    /// The topic's full name.
    package let topic: String
    private let partition: Int32?
    private let start: ReadingStart
    private let follows: Bool
    private let broker: any MessageBroker
    private let settings: ConsumerSettings
    /// The first offset in partitions that start elsewhere, by their numbers.
    private var offsets: [Int32: Int64] = [:]
    /// Reads data of a registry's schemas, if there is a registry.
    private let records: RegistryReading?

    /// Prepares reading.
    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - partition: The partition's number; nil for all of them.
    ///   - start: Where to begin.
    ///   - follows: Whether reading goes on behind the end.
    ///   - settings: The consumer's settings, by which the broker is reached.
    ///   - patience: The wait without messages after which the remaining offsets count as gaps.
    ///   - firstPatience: The maximum wait for the first message.
    ///   - needsRegistry: Whether it fails if the schema registry can't be asked; otherwise data stay undecoded.
    package init(
        topic: String,
        partition: Int32? = nil,
        start: ReadingStart,
        follows: Bool = false,
        broker: any MessageBroker,
        settings: ConsumerSettings,
        patience: Duration = .seconds(15),
        firstPatience: Duration = .seconds(60),
        needsRegistry: Bool = false
    ) {
        self.topic = topic
        self.partition = partition
        self.start = start
        self.follows = follows
        self.broker = broker
        self.settings = settings
        self.patience = patience
        self.firstPatience = firstPatience
        records = settings.schemaRegistry.map { RegistryReading($0, isStrict: needsRegistry) }
    }

    /// The same, with other starts in some partitions.
    package func starting(at offsets: [Int32: Int64]) -> TopicReading {
        var copy = self
        copy.offsets = offsets
        return copy
    }

    /// Reads until the end or until the body wants no more.
    /// - Parameter body: Receives messages, and returns whether it wants more.
    /// - Returns: The ranges that were read, by partition.
    /// - Throws: ``DionysusError``: `unknownTopic` for a missing topic or partition, and the broker's errors.
    package func run(_ body: ([ReadMessage]) -> Bool) async throws -> [Span] {
        var spans = try await spans()
        var hasGrown: Bool
        repeat {
            let partitions = spans.values.filter { follows || $0.next < $0.end }.map(\.partition).sorted()
            guard !partitions.isEmpty else { break }
            let reader = try await broker.makeConsumer(
                ConsumerOptions(
                    clientID: settings.clientID,
                    partitions: partitions,
                    settings: settings.brokerSettings
                )
            )
            hasGrown = try await closing {
                await reader.close()
            } after: {
                do {
                    return try await read(from: reader, &spans, body)
                } catch is CancellationError where Task.isShuttingDownGracefully {
                    // The result covers what was read so far.
                    return false
                }
            }
        } while hasGrown
        return spans.sorted
    }

    /// - Returns: Whether it ended because the topic has more partitions than before, which are among the spans then.
    private func read(
        from reader: any MessageConsumer,
        _ spans: inout [TopicPartition: Span],
        _ body: ([ReadMessage]) -> Bool
    ) async throws -> Bool {
        var hasRead = false
        var nextLook = ContinuousClock.now + Self.pauseBetweenLooks
        while follows || spans.values.contains(where: { $0.next < $0.end }) {
            if follows, .now > nextLook {
                if try await addNewPartitions(to: &spans) { return true }
                nextLook = .now + Self.pauseBetweenLooks
            }
            let wait = follows ? Self.pauseBetweenLooks : hasRead ? patience : firstPatience
            let event = try await cancelWhenGracefulShutdown {
                try await reader.next(maxMessages: 500, timeout: wait)
            }
            switch event {
            case .assigned(let partitions):
                var starts: [TopicPartition: StartPosition] = [:]
                for partition in partitions {
                    starts[partition] = spans[partition].map { .offset($0.next) } ?? .latest
                }
                try await reader.start(starts)
            case .messages(let messages):
                hasRead = true
                guard try await take(messages, &spans, body) else { return false }
            case .reached(let ends):
                for (partition, end) in ends { spans[partition]?.next = end }
            case .revoked(let partitions): try await reader.release(partitions)
            case .outOfRange(let partition, let range):
                spans[partition]?.next = range.first
                try await reader.seek(partition, to: .offset(range.first))
            case .lost: break
            case nil:
                if let outage = reader.outage { throw outage }
                if follows { continue }
                _ = try await partitions()
                guard hasRead else {
                    throw DionysusError(
                        .brokerUnavailable,
                        "no message of \(topic) came within \(firstPatience.components.seconds) s, though there "
                            + "should be some",
                        advice: "try again, and check the broker",
                        isRetriable: true
                    )
                }
                return false
            }
        }
        return false
    }

    /// Adds the partitions that a followed topic has got since; they are read from their beginning.
    /// - Throws: ``DionysusError`` with code `unknownTopic` if there is no such topic any more.
    private func addNewPartitions(to spans: inout [TopicPartition: Span]) async throws -> Bool {
        do {
            let new = try await partitions().filter { spans[$0] == nil }
            for (partition, range) in try await broker.offsets(of: new) {
                spans[partition] = Span(partition: partition, first: range.first, next: range.first, end: range.next)
            }
            return new.contains { spans[$0] != nil }
        } catch let error as DionysusError where error.isRetriable {
            // The reader itself says how the broker is.
            return false
        }
    }

    /// Passes messages on one by one, so that the range ends where the body stopped.
    private func take(
        _ messages: [ConsumedMessage],
        _ spans: inout [TopicPartition: Span],
        _ body: ([ReadMessage]) -> Bool
    ) async throws -> Bool {
        for message in messages {
            guard var span = spans[message.source], message.offset >= span.next,
                follows || message.offset < span.end
            else { continue }
            span.next = message.offset + 1
            span.count += 1
            spans[message.source] = span
            let read = try await records?.read(message) ?? ReadMessage(message: TopicMessage(message))
            guard body([read]) else { return false }
        }
        return true
    }

    private func spans() async throws -> [TopicPartition: Span] {
        let ranges = try await broker.offsets(of: try await partitions())
        let starts = try await starts(ranges)
        return ranges.reduce(into: [:]) { spans, entry in
            let (partition, range) = entry
            let start = offsets[partition.partition] ?? starts[partition]
            let first = min(max(start ?? range.next, range.first), range.next)
            spans[partition] = Span(partition: partition, first: first, next: first, end: range.next)
        }
    }

    /// The partitions that are read.
    /// - Throws: ``DionysusError`` with code `unknownTopic` if there is no such topic or partition.
    private func partitions() async throws -> [TopicPartition] {
        guard let description = try await broker.describeTopics([topic]).first else {
            throw DionysusError(
                .unknownTopic,
                "the broker has no topic \(topic)",
                advice: "`topics` shows those that the application declares"
            )
        }
        if let partition, partition >= description.partitions {
            throw DionysusError(
                .unknownTopic,
                "there is no partition \(partition) in \(topic), which has \(description.partitions)",
                advice: "partitions are counted from 0"
            )
        }
        return (partition.map { [$0] } ?? Array(0..<description.partitions)).map { TopicPartition(topic, $0) }
    }

    /// The start offset, which may be outside the partition.
    private func starts(_ ranges: [TopicPartition: OffsetRange]) async throws -> [TopicPartition: Int64] {
        switch start {
        case .place(.earliest): ranges.mapValues(\.first)
        case .place(.latest): ranges.mapValues(\.next)
        case .place(.offset(let offset)): ranges.mapValues { _ in offset }
        case .place(.time(let time)): try await broker.offsets(of: Array(ranges.keys), at: time)
        case .last(let count): ranges.mapValues { $0.next.subtractingReportingOverflow(count).partialValue }
        }
    }
}

extension [TopicPartition: TopicReading.Span] {
    fileprivate var sorted: [TopicReading.Span] { values.sorted { $0.partition < $1.partition } }
}
