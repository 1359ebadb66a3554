import Dionysus
import DionysusConsumer

/// Messages of a topic, and how far was looked for them.
struct MessageReport: Sendable {
    /// What is looked for.
    struct Query: Sendable {
        var topic: String
        var partition: Int32?
        var start: ReadingStart
        var key: String?
        var header: (name: String, value: String)?
        /// A member of the value, by its path, and its text.
        var member: (path: [String], value: String)?
        var limit: Int
    }

    let query: Query
    let messages: [ReadMessage]
    let spans: [TopicReading.Span]
    /// How many were looked at.
    let looked: Int
    /// The times of the first and the last that were looked at.
    let first: Timestamp?
    let last: Timestamp?
    /// Whether looking ended because it had taken long enough.
    let isBounded: Bool

    /// How many messages are looked at.
    static let maxLooked = 20_000
    /// How long somebody waits.
    static let patience = Duration.seconds(5)

    static func read(_ query: Query, _ core: ConsoleCore) async throws -> MessageReport {
        let reading = try reading(query, core, patience: .seconds(2))
        var found: [ReadMessage] = []
        var (looked, isBounded) = (0, false)
        var (first, last): (Timestamp?, Timestamp?)
        let deadline = ContinuousClock.now + patience
        let mask = core.mask
        let spans = try await reading.run { messages in
            for message in messages {
                let time = message.message.timestamp
                looked += 1
                first = first.map { min($0, time) } ?? time
                last = last.map { max($0, time) } ?? time
                if query.accepts(message, mask) { found.append(message) }
            }
            if found.count >= query.limit { return false }
            guard looked < maxLooked, .now < deadline else {
                isBounded = true
                return false
            }
            return true
        }
        // Partitions come one after another; people read by time, and what is newest first where they asked for that.
        let isNewestFirst = query.isNewestFirst
        found.sort { left, right in
            let places = [left, right].map(\.message).map { ($0.timestamp, $0.source.partition, $0.offset) }
            return isNewestFirst ? places[0] > places[1] : places[0] < places[1]
        }
        return MessageReport(
            query: query,
            messages: found,
            spans: spans,
            looked: looked,
            first: first,
            last: last,
            isBounded: isBounded || spans.contains { $0.next < $0.end }
        )
    }

    /// The newest messages that match, the newest first, while they are followed.
    static func tail(_ query: Query, _ core: ConsoleCore, named name: String) async throws -> [ReadMessage] {
        let reading = try reading(query, core, follows: true, patience: .seconds(5))
        let mask = core.mask
        return try await core.tails.tail(name) { TopicTail(reading) { query.accepts($0, mask) } }.messages()
    }

    private static func reading(
        _ query: Query,
        _ core: ConsoleCore,
        follows: Bool = false,
        patience: Duration
    ) throws -> TopicReading {
        guard let broker = core.system.broker else {
            throw DionysusError(
                .brokerUnavailable,
                "this console has no broker",
                advice: "start the console where the broker can be reached"
            )
        }
        return TopicReading(
            topic: query.topic,
            partition: query.partition,
            start: query.start,
            follows: follows,
            broker: broker,
            settings: core.system.readerSettings,
            patience: patience,
            firstPatience: follows ? patience : .seconds(10)
        )
    }

    /// Where looking goes on, if it is one partition that wasn't read to its end.
    var next: (partition: Int32, offset: Int64)? {
        guard spans.count == 1, let span = spans.first, span.next < span.end else { return nil }
        return (span.partition.partition, span.next)
    }

    func json(_ mask: Mask) -> JSON {
        .object([
            "topic": .string(query.topic), "messages": .array(messages.map { $0.json(mask) }),
            "looked_at": .integer(Int64(looked)), "from": .init(first), "to": .init(last),
            "more": .bool(isBounded),
            "partitions": .array(
                spans.map { span in
                    .object([
                        "partition": .integer(Int64(span.partition.partition)), "from": .integer(span.first),
                        "to": .integer(span.next), "end": .integer(span.end), "messages": .integer(Int64(span.count)),
                    ])
                }
            ),
        ])
    }
}

extension MessageReport.Query {
    fileprivate var isNewestFirst: Bool {
        switch start {
        case .last, .place(.latest): true
        default: false
        }
    }

    /// Whether a message matches as it is shown: a search must not tell what is masked.
    fileprivate func accepts(_ read: ReadMessage, _ mask: Mask) -> Bool {
        let message = read.message
        if let key, read.keyText != key { return false }
        if let header {
            let isThere = message.headers.contains { candidate in
                guard candidate.name == header.name else { return false }
                let text = String(decoding: candidate.value, as: UTF8.self)
                return mask.applied(to: text, of: header.name)?.contains(header.value) ?? false
            }
            guard isThere else { return false }
        }
        guard let member else { return true }
        guard let document = read.record ?? message.value.flatMap({ try? JSON(parsing: $0) }) else { return false }
        return Self.contains(mask.applied(to: document), member.path[...], member.value)
    }

    /// Whether a document has a value under a path, at whatever depth the path begins.
    private static func contains(_ json: JSON, _ path: ArraySlice<String>, _ value: String) -> Bool {
        func matches(_ json: JSON) -> Bool {
            switch json {
            case .string(let text): text == value
            case .null, .bool, .integer, .number: json.text == value
            default: false
            }
        }
        switch json {
        case .array(let elements): return elements.contains { contains($0, path, value) }
        case .object(let object):
            return object.members.contains { member in
                if member.name == path.first {
                    let rest = path.dropFirst()
                    if rest.isEmpty ? matches(member.value) : contains(member.value, rest, value) { return true }
                }
                return contains(member.value, path, value)
            }
        default: return false
        }
    }
}

extension ReadMessage {
    func json(_ mask: Mask) -> JSON {
        .object([
            "partition": .integer(Int64(message.source.partition)), "offset": .integer(message.offset),
            "time": .init(message.timestamp), "key": .init(keyText),
            "headers": .array(message.headers.map { $0.json(mask) }),
            "tombstone": .bool(message.content == .tombstone), "event": .init(message.event),
            "payload": Payload(self, mask).json,
        ])
    }
}
