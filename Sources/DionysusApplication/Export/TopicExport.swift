import Dionysus
import DionysusConsumer

/// Exports the messages that a topic holds.
struct TopicExport {
    let reading: TopicReading
    /// Messages from this time on are left out.
    let until: Timestamp?

    /// Writes all messages after a position.
    /// - Parameter start: The next offset of each partition, by its number; null for none.
    func run(from start: JSON, into writer: inout ExportWriter) async throws {
        var next: [Int32: Int64] = [:]
        if case .object(let noted) = start {
            for member in noted.members {
                if let partition = Int32(member.name), case .integer(let offset) = member.value {
                    next[partition] = offset
                }
            }
        }
        var failure: (any Error)?
        let resumed = next
        let spans = try await reading.starting(at: resumed)
            .run { messages in
                for message in messages {
                    let source = message.message.source.partition
                    next[source] = message.message.offset + 1
                    if let until, message.message.timestamp >= until { continue }
                    writer.add(message.json, at: message.message.timestamp)
                }
                do {
                    try writer.reached(Self.position(next))
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        if let failure { throw failure }
        try Task.checkCancellation()
        // Gaps at the end of a partition are known as such: what is missing then couldn't be read.
        if let unread = spans.first(where: { $0.next < $0.end }) {
            throw DionysusError(
                .brokerUnavailable,
                "\(unread.partition) was read up to \(unread.next), and its end is \(unread.end)",
                advice: "check the broker, and repeat the command: it goes on where it was",
                isRetriable: true
            )
        }
        try writer.reached(Self.position(next), isEnd: true)
    }

    static let columns = [
        "topic", "partition", "offset", "timestamp", "key", "headers", "tombstone", "events", "record", "raw",
        "problem",
    ]

    private static func position(_ next: [Int32: Int64]) -> JSON {
        var noted = JSON.Object()
        for (partition, offset) in next.sorted(by: { $0.key < $1.key }) { noted["\(partition)"] = .integer(offset) }
        return .object(noted)
    }
}
