import Dionysus

/// A group: its members and their target assignment.
struct GroupState: Sendable {
    struct Member: Sendable {
        let topics: Set<String>
        let patterns: [TopicPattern]
        /// The partitions that the member has been assigned and has not released.
        var owned: Set<TopicPartition> = []
        /// Those of them that it has been asked to release.
        var asked: Set<TopicPartition> = []

        func wants(_ topic: String) -> Bool { topics.contains(topic) || patterns.contains { $0.matches(topic) } }
    }

    private(set) var members: [Int: Member] = [:]
    /// The committed positions.
    var committed: [TopicPartition: CommittedPosition] = [:]
    /// The target owner of each partition.
    private var targets: [TopicPartition: Int] = [:]

    mutating func join(_ id: Int, _ member: Member, _ topics: [String: LogState.Topic]) {
        members[id] = member
        distribute(topics)
    }

    mutating func leave(_ id: Int, _ topics: [String: LogState.Topic]) {
        members[id] = nil
        distribute(topics)
    }

    /// Assigns each member its share of its topics' partitions.
    mutating func distribute(_ topics: [String: LogState.Topic]) {
        targets = [:]
        for (name, topic) in topics {
            let wanting = members.filter { $0.value.wants(name) }.keys.sorted()
            guard !wanting.isEmpty else { continue }
            for partition in topic.partitions.indices {
                targets[TopicPartition(name, Int32(partition))] = wanting[partition % wanting.count]
            }
        }
    }

    /// A member's next assignment event.
    mutating func takeEvent(of id: Int) -> ConsumerEvent? {
        guard var member = members[id] else { return nil }
        defer { members[id] = member }
        let unwanted = member.owned.subtracting(member.asked).filter { targets[$0] != id }
        guard unwanted.isEmpty else {
            member.asked.formUnion(unwanted)
            return .revoked(unwanted.sorted())
        }
        let taken = members.values.reduce(into: Set<TopicPartition>()) { $0.formUnion($1.owned) }
        let free = targets.filter { $0.value == id && !taken.contains($0.key) }.keys.sorted()
        guard !free.isEmpty else { return nil }
        member.owned.formUnion(free)
        return .assigned(free)
    }

    mutating func release(_ partitions: [TopicPartition], of id: Int) {
        members[id]?.owned.subtract(partitions)
        members[id]?.asked.subtract(partitions)
    }

    func owns(_ partition: TopicPartition, _ id: Int) -> Bool { members[id]?.owned.contains(partition) == true }
}

/// A regular expression for the names of topics.
struct TopicPattern: Sendable {
    private let pattern: String

    init(_ pattern: String) throws {
        do {
            _ = try Regex(pattern)
        } catch {
            throw DionysusError(
                .configuration,
                "the topic pattern \(pattern) is not a valid regular expression",
                advice: "correct the pattern, for instance ^v3_.*",
                underlying: error
            )
        }
        self.pattern = pattern
    }

    func matches(_ topic: String) -> Bool {
        guard let expression = try? Regex(pattern) else { return false }
        return topic.contains(expression)
    }
}
