import Dionysus
import Synchronization

/// A group's positions, as an application stores them, and any conflict between members.
final class GroupLedger: Sendable {
    struct State {
        /// The owner of each partition.
        var owners: [TopicPartition: String] = [:]
        /// The next offset to read.
        var positions: [TopicPartition: Int64] = [:]
        /// The number of messages that each member has read.
        var counts: [String: Int] = [:]
        /// The first violation.
        var failure: ConformanceFailure?

        var total: Int { counts.values.reduce(0, +) }

        func owned(by member: String) -> Int { owners.values.count { $0 == member } }
    }

    private let state = Mutex(State())

    var current: State { state.withLock { $0 } }

    /// Records the new owner and returns its start position.
    func acquire(_ partitions: [TopicPartition], for member: String) -> [TopicPartition: StartPosition] {
        state.withLock { state in
            var positions: [TopicPartition: StartPosition] = [:]
            for partition in partitions {
                if let owner = state.owners[partition], state.failure == nil {
                    state.failure = ConformanceFailure(
                        expected: "\(partition) to have one owner at a time",
                        actual: "it was assigned to \(member) while \(owner) owned it"
                    )
                }
                state.owners[partition] = member
                positions[partition] = state.positions[partition].map { .offset($0) } ?? .earliest
            }
            return positions
        }
    }

    func relinquish(_ partitions: [TopicPartition], by member: String) {
        state.withLock { state in
            for partition in partitions where state.owners[partition] == member { state.owners[partition] = nil }
        }
    }

    func relinquishAll(by member: String) {
        state.withLock { state in state.owners = state.owners.filter { $0.value != member } }
    }

    func record(_ messages: [ConsumedMessage], by member: String) {
        state.withLock { state in
            for message in messages {
                let expected = state.positions[message.source] ?? 0
                if state.owners[message.source] != member || message.offset != expected, state.failure == nil {
                    state.failure = ConformanceFailure(
                        expected: "the owner of \(message.source) to read offset \(expected)",
                        actual: "\(member) read offset \(message.offset)"
                    )
                }
                state.positions[message.source] = message.offset + 1
                state.counts[member, default: 0] += 1
            }
        }
    }
}

/// A member of a group whose reading a ledger records.
struct LedgerMember: Sendable {
    let name: String
    let consumer: any MessageConsumer
    let ledger: GroupLedger

    /// Handles events until the ledger reaches the goal or the time is up.
    func run(until deadline: ContinuousClock.Instant, _ isReached: @Sendable (GroupLedger.State) -> Bool) async throws {
        while !Task.isCancelled, !isReached(ledger.current), ledger.current.failure == nil {
            let rest = deadline - .now
            guard rest > .zero, let event = try await consumer.next(maxMessages: 10, timeout: rest) else { return }
            switch event {
            case .assigned(let partitions):
                let positions = ledger.acquire(partitions, for: name)
                try await uncancelled { try await consumer.start(positions) }
            case .revoked(let partitions):
                ledger.relinquish(partitions, by: name)
                try await uncancelled { try await consumer.release(partitions) }
            case .lost(let partitions): ledger.relinquish(partitions, by: name)
            case .messages(let messages): ledger.record(messages, by: name)
            case .reached: break
            case .outOfRange(let partition, let range):
                throw ConformanceFailure(
                    expected: "the ledger's position of \(partition) to be in the log",
                    actual: "it was not between \(range.first) and \(range.next)"
                )
            }
        }
    }

    /// Answers an event even if another member has reached the goal meanwhile, because the ledger relies on the answer.
    private func uncancelled(_ answer: @escaping @Sendable () async throws -> Void) async throws {
        try await Task(operation: answer).value
    }

    /// Leaves the group.
    func close() async {
        ledger.relinquishAll(by: name)
        await consumer.close()
    }
}

extension BrokerTrial {
    func makeMember(_ name: String, of topic: String, group: String, ledger: GroupLedger) async throws -> LedgerMember {
        let reader = try await makeReader(of: [topic], group: group)
        return LedgerMember(name: name, consumer: reader.consumer, ledger: ledger)
    }

    /// Runs members concurrently until their ledger reaches the goal.
    func drive(
        _ members: [LedgerMember],
        until goal: String,
        _ isReached: @escaping @Sendable (GroupLedger.State) -> Bool
    ) async throws {
        guard let ledger = members.first?.ledger else { return }
        let deadline = ContinuousClock.now + harness.patience
        try await withThrowingTaskGroup { group in
            for member in members {
                group.addTask {
                    do {
                        try await member.run(until: deadline, isReached)
                    } catch is CancellationError {
                        return
                    }
                }
            }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
        let state = ledger.current
        if let failure = state.failure { throw failure }
        try expect(
            isReached(state),
            "\(goal) within \(harness.patience)",
            "the owners were \(state.owners), the counts \(state.counts)"
        )
    }
}
