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
/// Topics are never changed or deleted, so what was once read stays true.
final class TopicCatalogue: Sendable {
    private let known = Mutex<[String: TopicLayout]>([:])

    /// Finds a topic.
    func layout(of name: String, in connection: Connection) throws -> TopicLayout? {
        if let layout = known.withLock({ $0[name] }) { return layout }
        let partitionIDs = try Int64.fetchAll(
            connection.cachedStatement(
                sql: """
                    SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic_id
                    WHERE t.name = ? ORDER BY p.number
                    """
            ),
            arguments: [name]
        )
        guard !partitionIDs.isEmpty else { return nil }
        return TopicLayout(name: name, partitionIDs: partitionIDs)
    }

    /// Remembers topics, which must be committed.
    func remember(_ layouts: some Sequence<TopicLayout>) {
        known.withLock { known in
            for layout in layouts { known[layout.name] = layout }
        }
    }

    func isKnown(_ name: String) -> Bool { known.withLock { $0[name] != nil } }

    /// Creates a topic that doesn't exist.
    func create(_ name: String, partitions: Int32, in connection: Connection) throws -> TopicLayout {
        try connection.execute(
            sql: "INSERT INTO topics (name, partitions) VALUES (?, ?)",
            arguments: [name, partitions]
        )
        let topicID = connection.lastInsertedRowID
        let partitionIDs = try (0..<partitions)
            .map { number in
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
