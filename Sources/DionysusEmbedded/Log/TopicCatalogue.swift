import Dionysus
import GRDB
import Synchronization

/// A topic and the keys of its partitions, by their numbers.
struct TopicLayout: Sendable {
    let name: String
    let partitionIDs: [Int64]

    var partitionCount: Int32 { Int32(partitionIDs.count) }

    func partitionID(_ number: Int32) -> Int64? {
        partitionIDs.indices.contains(Int(number)) ? partitionIDs[Int(number)] : nil
    }
}

/// The topics of a log.
///
/// Topics are never deleted, and partitions only added, so what was once read stays true as long as a topic has as many
/// partitions.
final class TopicCatalogue: Sendable {
    private let known = Mutex<[String: TopicLayout]>([:])

    /// Finds a topic.
    func layout(of name: String, in connection: Connection) throws -> TopicLayout? {
        let count = try Int32.fetchOne(
            connection.cachedStatement(sql: "SELECT partitions FROM topics WHERE name = ?"),
            arguments: [name]
        )
        guard let count else { return nil }
        if let layout = known.withLock({ $0[name] }), layout.partitionCount == count { return layout }
        let partitionIDs = try Int64.fetchAll(
            connection.cachedStatement(
                sql: """
                    SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic_id
                    WHERE t.name = ? ORDER BY p.number
                    """
            ),
            arguments: [name]
        )
        return TopicLayout(name: name, partitionIDs: partitionIDs)
    }

    /// Remembers topics, which must be committed.
    func remember(_ layouts: some Sequence<TopicLayout>) {
        known.withLock { known in
            for layout in layouts { known[layout.name] = layout }
        }
    }

    /// Creates a topic that doesn't exist.
    func create(_ name: String, partitions: Int32, in connection: Connection) throws -> TopicLayout {
        try connection.execute(
            sql: "INSERT INTO topics (name, partitions) VALUES (?, ?)",
            arguments: [name, partitions]
        )
        return try add(0..<partitions, to: name, topicID: connection.lastInsertedRowID, in: connection)
    }

    /// Adds partitions to a topic, which groups find when they next look.
    /// - Returns: The topic as it is then; nil if it doesn't exist.
    func grow(_ name: String, to partitions: Int32, in connection: Connection) throws -> TopicLayout? {
        guard let layout = try layout(of: name, in: connection) else { return nil }
        guard layout.partitionCount < partitions else { return layout }
        let topicID = try Int64.fetchOne(connection, sql: "SELECT id FROM topics WHERE name = ?", arguments: [name])
        let added = try add(layout.partitionCount..<partitions, to: name, topicID: topicID ?? 0, in: connection)
        try connection.execute(
            sql: "UPDATE topics SET partitions = ? WHERE name = ?",
            arguments: [partitions, name]
        )
        // All groups look for partitions that they don't know.
        try connection.execute(sql: "UPDATE consumer_groups SET last_topic_id = 0")
        return TopicLayout(name: name, partitionIDs: layout.partitionIDs + added.partitionIDs)
    }

    private func add(
        _ numbers: Range<Int32>,
        to name: String,
        topicID: Int64,
        in connection: Connection
    ) throws -> TopicLayout {
        let partitionIDs = try numbers.map { number in
            try connection.execute(
                sql: "INSERT INTO partitions (topic_id, number) VALUES (?, ?)",
                arguments: [topicID, number]
            )
            return connection.lastInsertedRowID
        }
        return TopicLayout(name: name, partitionIDs: partitionIDs)
    }

    /// Whether Kafka would take the name, so that an application can move there.
    static func isValidName(_ name: String) -> Bool {
        (1...249).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
