import Dionysus
import TestSupport

/// The readable log at the end.
struct LogContent {
    /// A message and its position.
    struct Message: Sendable {
        let topic: String
        /// Topic, partition and offset.
        let place: String
        let content: PublishedMessage

        var eventID: String { content.headers[HeaderName.eventID] ?? "" }
        /// The outbox id in the event's id.
        var rowID: Int64? { eventID.split(separator: "-").last.flatMap { Int64($0) } }
    }

    /// By topic and partition, in offset order.
    let messages: [Message]

    init(of system: System) async throws {
        let broker = try system.openBroker()
        messages = try await readRaw(Counting.topics, from: broker)
            .filter { $0.key != Poison.key && $0.value != nil }
            .map { message in
                Message(
                    topic: message.source.topic,
                    place: "\(message.source) \(message.offset)",
                    content: try PublishedMessage(message)
                )
            }
        await broker.close()
    }

    /// The messages of each record in each partition.
    private var histories: [String: [Message]] {
        Dictionary(grouping: messages) { "\($0.topic) \($0.content.partition) \($0.content.key)" }
    }

    /// Messages with a lower version than an earlier one.
    var late: Int { histories.values.reduce(0) { $0 + $1.late } }

    /// A record's versions don't decrease, and its last message is its most recent.
    /// - Parameter mayHaveLate: Whether a relay may have published after it had lost its lane.
    func order(mayHaveLate: Bool) -> [String] {
        histories.flatMap { place, messages in
            var faults: [String] = []
            if let newest = messages.map(\.content.version).max(), let last = messages.last?.content.version,
                last < newest
            {
                let end = messages.suffix(6).map { "\($0.content.version) of row \($0.rowID ?? 0)" }
                faults.append("the last message of \(place) is older than another: \(end.joined(separator: ", "))")
            }
            if !mayHaveLate, messages.late > 0 {
                faults.append("\(messages.late) messages of \(place) have lower versions than earlier ones")
            }
            return faults
        }
    }

    /// The number of duplicate messages.
    var duplicates: Int { messages.count - Set(messages.map { "\($0.topic) \($0.eventID)" }).count }

    /// The number of batches that were published, at least in part, and then published again.
    ///
    /// The messages of a batch share its version.
    var repeatedBatches: Int {
        Set(
            Dictionary(grouping: messages) { "\($0.topic) \($0.eventID)" }.values
                .flatMap { $0.map(\.content.version).sorted().dropLast() }
        )
        .count
    }

    /// Only batches that were running at a fault are published again.
    func repetition(allowed: Int) -> [String] {
        let repeated = repeatedBatches
        return repeated > allowed
            ? ["\(repeated) batches were published again, but at most \(allowed) are allowed"] : []
    }
}

extension [LogContent.Message] {
    /// The number of messages with a lower version than an earlier one.
    fileprivate var late: Int {
        var newest = Int64.min
        return count { message in
            defer { newest = Swift.max(newest, message.content.version) }
            return message.content.version < newest
        }
    }
}
