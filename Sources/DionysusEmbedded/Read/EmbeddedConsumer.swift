import Dionysus
import Synchronization

/// Reads an embedded log as a member of a group, or the partitions that were named.
final class EmbeddedConsumer: MessageConsumer {
    private let options: ConsumerOptions
    private let settings: ReaderSettings
    private let log: LogFile
    private let watch: LogWatch
    private let state: Mutex<ConsumerState>
    private let heartbeat = Mutex<Task<Void, Never>?>(nil)
    private let lastFailure = Mutex<DionysusError?>(nil)

    init(options: ConsumerOptions, settings: ReaderSettings, log: LogFile, watch: LogWatch) async throws {
        self.options = options
        self.settings = settings
        self.log = log
        self.watch = watch
        if options.partitions.isEmpty {
            state = Mutex(ConsumerState(member: try await Self.join(options, settings, log)))
            watch.notify()
            startHeartbeat()
        } else {
            state = Mutex(ConsumerState(assigned: try await Self.references(options.partitions, log)))
        }
    }

    deinit { heartbeat.withLock { $0?.cancel() } }

    var outage: DionysusError? { lastFailure.withLock { $0 } }

    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let deadline = ContinuousClock.now + timeout
        while true {
            try Task.checkCancellation()
            let version = watch.version
            if let event = try takeEvent() { return event }
            do {
                let event = try await look(maxMessages, maxBytes)
                lastFailure.withLock { $0 = nil }
                if let event { return event }
            } catch let error as DionysusError where error.isRetriable {
                // The log is locked or the disk is full: whoever changes that changes the log.
                lastFailure.withLock { $0 = error }
            }
            guard .now < deadline else { return nil }
            await watch.wait(since: version, until: deadline)
        }
    }

    func start(_ positions: [TopicPartition: StartPosition]) async throws {
        let resolved = try await resolve(positions)
        state.withLock { $0.move(to: resolved) }
        watch.notify()
    }

    func release(_ partitions: [TopicPartition]) async throws {
        let member = try openState { state in
            // First here, then in the log: otherwise what the group gives back at once would be forgotten.
            state.forget(partitions)
            return state.member
        }
        guard let member else { return }
        try await log.write { try member.release(partitions, in: $0) }
        watch.notify()
    }

    func seek(_ partition: TopicPartition, to position: StartPosition) async throws {
        try await start([partition: position])
    }

    func pause(_ partitions: [TopicPartition]) async throws {
        try openState { $0.setPaused(true, partitions) }
    }

    func resume(_ partitions: [TopicPartition]) async throws {
        try openState { $0.setPaused(false, partitions) }
        watch.notify()
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws {
        guard let member = try openState({ $0.member }) else { return }
        try await log.write { [options] in try member.commit(offsets, metadata: options.metadata, in: $0) }
    }

    func close() async {
        let member = state.withLock { state -> GroupMember? in
            guard !state.isClosed else { return nil }
            state.close()
            return state.member
        }
        heartbeat.withLock { $0?.cancel() }
        defer { watch.notify() }
        guard let member else { return }
        // If the log can't be written the member's lease ends by itself.
        try? await log.write { try member.leave(in: $0) }
    }

    /// Looks at the log once.
    /// - Returns: An event, or nil when there is nothing to tell.
    private func look(_ maxMessages: Int, _ maxBytes: Int) async throws -> ConsumerEvent? {
        while true {
            let (member, generation, requests) = try openState { state in
                (state.member, state.generation, state.makeRequests())
            }
            let outcome = try await log.read { [settings] connection in
                if let member, let outcome = try LogReader.check(member, generation: generation, in: connection) {
                    return outcome
                }
                var reader = LogReader(
                    connection: connection,
                    maximumMessages: maxMessages,
                    maximumBytes: min(settings.maximumFetchBytes, maxBytes)
                )
                return .parts(try reader.read(requests))
            }
            switch outcome {
            case .expelled(let member): try await rejoin(after: member)
            case .outdated(let member): try await synchronize(member)
            case .parts(let parts):
                let (messages, ends) = state.withLock { $0.accept(parts) }
                if !messages.isEmpty { return .messages(messages) }
                if !ends.isEmpty { return .reached(ends) }
                return try takeEvent()
            }
            if let event = try takeEvent() { return event }
        }
    }

    private func takeEvent() throws -> ConsumerEvent? { try openState { $0.takeEvent() } }

    private func synchronize(_ member: GroupMember) async throws {
        switch try await log.write({ try member.synchronize(in: $0) }) {
        case .expelled: try await rejoin(after: member)
        case .current(let generation, let taken, let wanted):
            try openState { $0.apply(generation: generation, taken: taken, wanted: wanted) }
        }
    }

    private func rejoin(after member: GroupMember) async throws {
        let successor = try await Self.join(options, settings, log)
        let isClosed = state.withLock { state in
            if !state.isClosed { state.rejoin(as: successor) }
            return state.isClosed
        }
        // The consumer was closed while it joined again, so no one else will take the new member out.
        if isClosed { try await log.write { try successor.leave(in: $0) } }
        watch.notify()
    }

    private func resolve(_ positions: [TopicPartition: StartPosition]) async throws -> [TopicPartition: Int64] {
        _ = try openState { $0.member }
        return try await log.read { connection in
            let ranges = try OffsetRange.fetch(Array(positions.keys), in: connection)
            var result: [TopicPartition: Int64] = [:]
            for (partition, position) in positions {
                guard let range = ranges[partition] else {
                    throw DionysusError(
                        .unknownTopic,
                        "\(partition) does not exist in the embedded log",
                        advice: "start and seek only partitions that were assigned"
                    )
                }
                result[partition] =
                    switch position {
                    case .earliest: range.first
                    case .latest: range.next
                    case .offset(let offset): offset
                    case .time(let time): try range.offset(of: partition, at: time, in: connection)
                    }
            }
            return result
        }
    }

    private func openState<T>(_ body: (inout ConsumerState) throws -> T) throws -> T {
        try state.withLock { state in
            guard !state.isClosed else {
                throw DionysusError(
                    .closed,
                    "the consumer \(options.clientID) of group \(options.groupID) has been closed"
                )
            }
            return try body(&state)
        }
    }

    private static func join(
        _ options: ConsumerOptions,
        _ settings: ReaderSettings,
        _ log: LogFile
    ) async throws -> GroupMember {
        try await log.write { connection in
            try GroupMember.join(
                group: options.groupID,
                clientID: options.clientID,
                subscription: Subscription(topics: options.topics, patterns: options.topicPatterns),
                timeout: settings.sessionTimeout,
                in: connection
            )
        }
    }

    /// The partitions' keys in the log.
    private static func references(_ partitions: [TopicPartition], _ log: LogFile) async throws -> [PartitionReference]
    {
        try await log.read { connection in
            try partitions.map { partition in
                guard let reference = try PartitionReference.fetch(partition, in: connection) else {
                    throw DionysusError(
                        .unknownTopic,
                        "\(partition) does not exist in the embedded log",
                        advice: "read partitions that the topic has"
                    )
                }
                return reference
            }
        }
    }

    /// Keeps the lease, whether or not anyone asks for events.
    private func startHeartbeat() {
        let interval = settings.sessionTimeout / 3
        let task = Task { [weak self] in
            for await _ in Cadence(every: interval) { await self?.renew() }
        }
        heartbeat.withLock { $0 = task }
    }

    private func renew() async {
        guard let member = (try? openState { $0.member }) ?? nil else { return }
        // If this fails the next beat tries again, and if the lease ends meanwhile, reading finds that out.
        _ = try? await log.write { try member.renew(in: $0) }
        watch.notify()
    }
}
