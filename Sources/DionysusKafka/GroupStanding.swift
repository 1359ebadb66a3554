import Dionysus

/// What keeps a member from reading although the brokers are there: a value without I/O.
struct GroupStanding {
    private static let pause = Duration.seconds(2)

    private var conflict: DionysusError?
    /// Topics that the broker doesn't have.
    private var missing: Set<String> = []
    /// When to look next whether they have come into being; nil if none is missing.
    private(set) var nextLook: ContinuousClock.Instant?

    /// What is the matter, if anything is.
    var problem: DionysusError? {
        if let conflict { return conflict }
        guard !missing.isEmpty else { return nil }
        let names = missing.sorted()
        return DionysusError(
            .unknownTopic,
            "the broker has no topic \(names.joined(separator: ", "))",
            advice: "its publisher creates it with `topics --create`; it is read once it exists",
            isRetriable: true
        )
    }

    /// The group's other members share no way of assigning partitions with this one.
    mutating func strategiesDiffer() {
        conflict = DionysusError(
            .configuration,
            "the group's other members use another assignment strategy (INCONSISTENT_GROUP_PROTOCOL), so "
                + "it can't join",
            advice: "stop them, or set partition.assignment.strategy in DIONYSUS_CONSUMER_SETTINGS to theirs: "
                + "range,roundrobin for Karafka and other clients with librdkafka's default"
        )
    }

    /// The member is in the group and has been given partitions, or none.
    mutating func joined(_ topics: [String]) {
        conflict = nil
        missing.subtract(topics)
        if missing.isEmpty { nextLook = nil }
    }

    /// librdkafka says that a topic isn't there.
    /// - Parameter text: Its words: `Subscribed topic not available: NAME: ...`.
    mutating func lacks(_ text: String, at now: ContinuousClock.Instant) {
        let prefix = "Subscribed topic not available: "
        guard text.hasPrefix(prefix) else { return }
        let rest = text.dropFirst(prefix.count)
        let name = rest.range(of: ": ").map { rest[..<$0.lowerBound] } ?? rest
        // A pattern that matches nothing yet is no topic.
        guard !name.hasPrefix("^") else { return }
        missing.insert(String(name))
        nextLook = now
    }

    func isLookDue(at now: ContinuousClock.Instant) -> Bool { nextLook.map { $0 <= now } ?? false }

    /// A look has had a result.
    /// - Parameter topics: Those that exist; nil if no broker has told.
    mutating func looked(_ topics: Set<String>?, at now: ContinuousClock.Instant) {
        missing.subtract(topics ?? [])
        nextLook = missing.isEmpty ? nil : now + Self.pause
    }
}
