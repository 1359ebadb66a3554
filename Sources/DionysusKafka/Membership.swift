import Dionysus

/// What a member of a group owns, by what its user knows and has answered: a value without I/O.
struct Membership {
    private enum Stage {
        /// Assigned, but not yet reported to the user.
        case offered
        /// Reported; the user has to answer with a start.
        case awaitingStart
        /// Being read.
        case active
        /// Revoked; to be returned once the user has released it.
        case revoking
    }

    private var stages: [TopicPartition: Stage] = [:]
    /// What was being read of the partitions that the user is to release together; nil if it is to release none.
    private(set) var owedRelease: [TopicPartition]?
    private var events: [ConsumerEvent] = []

    /// Whether the group may be waiting for the user to start something.
    var owesStart: Bool { stages.values.contains { $0 == .offered || $0 == .awaitingStart } }

    func isActive(_ partition: TopicPartition) -> Bool { stages[partition] == .active }

    /// Whether the member owns the partition; it does until the user has answered a revocation.
    func isOwned(_ partition: TopicPartition) -> Bool {
        stages[partition] == .active || stages[partition] == .revoking
    }

    mutating func assign(_ partitions: [TopicPartition]) {
        for partition in partitions { stages[partition] = .offered }
        events.append(.assigned(partitions))
    }

    /// Revokes partitions from the user.
    /// - Returns: The partitions to return at once because the user has nothing to answer, or nil.
    mutating func revoke(_ partitions: [TopicPartition]) -> [TopicPartition]? {
        // The user can't release partitions that it has not started.
        let owned = partitions.filter { stages[$0] == .active }
        withdrawOffers(of: Set(partitions).subtracting(owned))
        guard !owned.isEmpty else { return [] }
        for partition in owned { stages[partition] = .revoking }
        owedRelease = owned
        events.append(.revoked(owned))
        return nil
    }

    /// Notes partitions that belong to another member by now.
    /// - Returns: Those that were being read.
    mutating func lose(_ partitions: [TopicPartition]) -> [TopicPartition] {
        let read = partitions.filter { isOwned($0) }
        let lost = Set(partitions)
        let told = partitions.filter { stages[$0] != .offered && stages[$0] != nil }
        withdrawOffers(of: lost)
        for partition in lost { stages[partition] = nil }
        events = events.compactMap { event in
            guard case .revoked(let partitions) = event else { return event }
            let rest = partitions.filter { !lost.contains($0) }
            return rest.isEmpty ? nil : .revoked(rest)
        }
        owedRelease = nil
        if !told.isEmpty { events.append(.lost(told)) }
        return read
    }

    /// Takes the oldest event that the user has not had.
    mutating func takeEvent() -> ConsumerEvent? {
        guard !events.isEmpty else { return nil }
        let event = events.removeFirst()
        if case .assigned(let partitions) = event {
            for partition in partitions where stages[partition] == .offered { stages[partition] = .awaitingStart }
        }
        return event
    }

    /// Adds an event that does not change what is owned.
    mutating func report(_ event: ConsumerEvent) { events.append(event) }

    /// Applies the user's answer to an assignment.
    /// - Returns: The partitions that may be read; an answer may arrive after partitions were lost.
    mutating func start(_ partitions: some Collection<TopicPartition>) -> [TopicPartition] {
        let started = partitions.filter { stages[$0] == .awaitingStart }
        for partition in started { stages[partition] = .active }
        return started.sorted()
    }

    /// Applies the user's answer to a revocation.
    /// - Returns: The partitions to return, once all of them have been released.
    mutating func release(_ partitions: [TopicPartition]) -> [TopicPartition]? {
        for partition in partitions where stages[partition] == .revoking { stages[partition] = nil }
        guard !stages.values.contains(.revoking) else { return nil }
        defer { owedRelease = nil }
        return owedRelease
    }

    private mutating func withdrawOffers(of partitions: Set<TopicPartition>) {
        events = events.compactMap { event in
            guard case .assigned(let offered) = event else { return event }
            let rest = offered.filter { !partitions.contains($0) }
            return rest.isEmpty ? nil : .assigned(rest)
        }
        for partition in partitions where stages[partition] == .offered { stages[partition] = nil }
    }
}
