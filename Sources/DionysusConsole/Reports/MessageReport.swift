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
    let messages: [TopicMessage]
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
        guard let broker = core.system.broker else {
            throw DionysusError(
                .brokerUnavailable,
                "this console has no broker",
                advice: "start the console where the broker can be reached"
            )
        }
        var settings = core.system.consumer?.settings ?? ConsumerSettings()
        if core.system.consumer == nil, let producer = core.system.producer {
            settings.clientID = producer.settings.clientID
        }
        let reading = TopicReading(
            topic: query.topic,
            partition: query.partition,
            start: query.start,
            broker: broker,
            settings: settings,
            patience: .seconds(2),
            firstPatience: .seconds(10)
        )
        var found: [TopicMessage] = []
        var (looked, isBounded) = (0, false)
        var (first, last): (Timestamp?, Timestamp?)
        let deadline = ContinuousClock.now + patience
        let mask = core.mask
        let spans = try await reading.run { messages in
            for message in messages.map(\.message) {
                looked += 1
                first = first.map { min($0, message.timestamp) } ?? message.timestamp
                last = last.map { max($0, message.timestamp) } ?? message.timestamp
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
            let places = [left, right].map { ($0.timestamp, $0.source.partition, $0.offset) }
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
    fileprivate func accepts(_ message: TopicMessage, _ mask: Mask) -> Bool {
        if let key, message.key.map({ String(decoding: $0, as: UTF8.self) }) != key { return false }
        if let header {
            let isThere = message.headers.contains { candidate in
                guard candidate.name == header.name else { return false }
                let text = String(decoding: candidate.value, as: UTF8.self)
                return mask.applied(to: text, of: header.name)?.contains(header.value) ?? false
            }
            guard isThere else { return false }
        }
        guard let member else { return true }
        guard let value = message.value, let document = try? JSON(parsing: value) else { return false }
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

extension TopicMessage {
    func json(_ mask: Mask) -> JSON {
        .object([
            "partition": .integer(Int64(source.partition)), "offset": .integer(offset), "time": .init(timestamp),
            "key": .init(key.map { String(decoding: $0, as: UTF8.self) }),
            "headers": .array(headers.map { $0.json(mask) }), "tombstone": .bool(content == .tombstone),
            "event": .init(event), "payload": Payload(value, mask).json,
        ])
    }
}
