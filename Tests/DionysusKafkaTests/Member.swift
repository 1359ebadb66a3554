import Dionysus

/// A group member that answers assignments automatically, so that a test sees only messages.
struct Member {
    struct GaveUp: Error {}

    let consumer: any MessageConsumer
    let position: StartPosition

    /// Waits for an event that `choose` accepts, and answers assignments and revocations meanwhile.
    func first<T>(_ choose: (ConsumerEvent) throws -> T?) async throws -> T {
        for _ in 0..<1000 {
            guard let event = try await consumer.next(maxMessages: 1000, timeout: .seconds(30)) else { break }
            if let chosen = try choose(event) { return chosen }
            try await answer(event)
        }
        throw GaveUp()
    }

    func answer(_ event: ConsumerEvent) async throws {
        switch event {
        case .assigned(let partitions):
            try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, position) }))
        case .revoked(let partitions):
            try await consumer.release(partitions)
        case .messages, .reached, .lost, .outOfRange:
            return
        }
    }

    /// Joins the group and starts its assigned partitions.
    func join() async throws -> [TopicPartition] {
        let partitions = try await first { event in
            if case .assigned(let partitions) = event { partitions } else { nil }
        }
        try await answer(.assigned(partitions))
        return partitions
    }

    /// Reads until it has a number of messages.
    func read(_ count: Int) async throws -> [ConsumedMessage] {
        var all: [ConsumedMessage] = []
        while all.count < count {
            all += try await first { event in
                if case .messages(let messages) = event { messages } else { nil }
            }
        }
        return all
    }
}
