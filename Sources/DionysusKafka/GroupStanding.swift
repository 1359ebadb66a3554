import Dionysus

/// Problems that prevent a member from reading although brokers are reachable: a value without I/O.
struct GroupStanding {
    private static let pause = Duration.seconds(2)

    private var conflict: DionysusError?
    /// The missing topics.
    private var missing: Set<String> = []
    /// When to check next whether they exist; nil if none is missing.
    private(set) var nextLook: ContinuousClock.Instant?

    /// The problem, if any.
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

    /// The group's other members have no assignment strategy in common with this one.
    mutating func strategiesDiffer() {
        conflict = DionysusError(
            .configuration,
            "the group's other members use another assignment strategy (INCONSISTENT_GROUP_PROTOCOL), so "
                + "it can't join",
            advice: "stop them, or set partition.assignment.strategy in DIONYSUS_CONSUMER_SETTINGS to theirs: "
                + "range,roundrobin for Karafka and other clients with librdkafka's default"
        )
    }

    /// The member has joined the group and has received its assignment, possibly an empty one.
    mutating func joined(_ topics: [String]) {
        conflict = nil
        missing.subtract(topics)
        if missing.isEmpty { nextLook = nil }
    }

    /// librdkafka reports a missing topic.
    /// - Parameter text: Its message: `Subscribed topic not available: NAME: ...`.
    mutating func lacks(_ text: String, at now: ContinuousClock.Instant) {
        let prefix = "Subscribed topic not available: "
        guard text.hasPrefix(prefix) else { return }
        let rest = text.dropFirst(prefix.count)
        let name = rest.range(of: ": ").map { rest[..<$0.lowerBound] } ?? rest
        // A pattern without matches is not a missing topic.
        guard !name.hasPrefix("^") else { return }
        missing.insert(String(name))
        nextLook = now
    }

    func isLookDue(at now: ContinuousClock.Instant) -> Bool { nextLook.map { $0 <= now } ?? false }

    /// A look has had a result.
    /// - Parameter topics: Those that exist; nil if no broker has answered.
    mutating func looked(_ topics: Set<String>?, at now: ContinuousClock.Instant) {
        missing.subtract(topics ?? [])
        nextLook = missing.isEmpty ? nil : now + Self.pause
    }
}
