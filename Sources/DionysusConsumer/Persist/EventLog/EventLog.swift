import Crypto
import Dionysus

/// The log of a topic's events, in the transaction of their data.
struct EventLog: Sendable {
    let group: String
    let identity: EventIdentity
    /// The row of the event that is handled once more; nil for events that come from the broker.
    var reprocessed: Int64?
    /// The models that have replicas here.
    private(set) var replicated: Set<String> = []

    init(group: String, identity: EventIdentity, reprocessed: Int64? = nil) {
        self.group = group
        self.identity = identity
        self.reprocessed = reprocessed
    }

    func keeping(replicated: Set<String>) -> EventLog {
        var copy = self
        copy.replicated = replicated
        return copy
    }

    /// Writes events, in one statement however many there are.
    ///
    /// The insertion itself finds out what the log has already: of two transactions that insert the same content, the
    /// second waits for the first.
    /// - Parameters:
    ///   - isHandled: Whether there are handlers, which may want events of models that have no replica.
    /// - Returns: The places of those that the log has already.
    /// - Throws: ``DionysusError``: `notFound` if the event that is handled once more is gone.
    func admit(
        _ events: [IncomingEvent],
        isHandled: Bool,
        in transaction: inout Transaction
    ) throws -> Set<EventPlace> {
        if let reprocessed {
            try Self.noteAttempt(reprocessed, in: &transaction)
            return []
        }
        var entries = events.filter { isHandled || replicated.contains($0.model) }.map { EventLogEntry($0, identity) }
        guard !entries.isEmpty else { return [] }
        // Two transactions that insert the same contents in the same order can't wait for each other.
        if identity == .checksum { entries.sort { $0.identity < $1.identity } }
        let insertion = EventLogStatements.insertion(of: entries, group: group, transaction.dialect)
        let inserted = try transaction.run(insertion).rows
            .map { row in EventPlace(offset: try row.integer(0) ?? 0, number: Int(try row.integer(1) ?? 0)) }
        return Set(entries.map(\.event.place)).subtracting(inserted)
    }

    /// Notes what the handlers have said of events: removes those that concern no handler, and shows the others as the
    /// handlers want them shown.
    func settle(_ handled: [HandledEvent], in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        if let reprocessed {
            for event in handled {
                try transaction.run(EventLogStatements.change(of: reprocessed, to: event.acknowledgement))
            }
            return
        }
        var statements: [SQL] = []
        let skipped = handled.filter { $0.isSkipped && !replicated.contains($0.event.model) }
        if let topic = skipped.first?.event.topic {
            let identities = skipped.map { EventLogEntry.identity(of: $0.event, identity) }
            statements.append(EventLogStatements.removal(of: identities, group: group, topic: topic, dialect))
        }
        let changed = handled.filter { $0.acknowledgement != HandlerResult.Acknowledgement() }
        if let topic = changed.first?.event.topic {
            let changes = changed.map {
                (identity: EventLogEntry.identity(of: $0.event, identity), change: $0.acknowledgement)
            }
            statements.append(EventLogStatements.changes(changes, group: group, topic: topic, dialect))
        }
        if !statements.isEmpty { try transaction.run(statements) }
    }

    private static func noteAttempt(_ id: Int64, in transaction: inout Transaction) throws {
        let now = transaction.dialect.now
        let result = try transaction.run(
            "UPDATE dionysus_events SET attempts = attempts + 1, handled_at = \(now) WHERE id = \(id)"
        )
        guard result.affectedRows == 1 else { throw DionysusError(.notFound, "the event log has no event \(id)") }
    }

}

/// An event as the log stores it.
struct EventLogEntry: Sendable {
    let event: IncomingEvent
    /// The event as it is on the wire, for its one record.
    let payload: String
    /// The SHA-256 of the payload's text.
    let checksum: String
    /// What no two rows of a group and topic share.
    let identity: String

    init(_ event: IncomingEvent, _ identity: EventIdentity) {
        self.event = event
        let bytes = Self.wire(event)
        payload = String(decoding: bytes, as: UTF8.self)
        checksum = SHA256.hash(data: bytes).hexadecimal
        self.identity = identity == .checksum ? checksum : Self.position(event)
    }

    static func identity(of event: IncomingEvent, _ identity: EventIdentity) -> String {
        identity == .checksum ? SHA256.hash(data: wire(event)).hexadecimal : position(event)
    }

    private static func position(_ event: IncomingEvent) -> String {
        "\(event.message.source.partition):\(event.message.offset):\(event.number)"
    }

    static func wire(_ event: IncomingEvent) -> [UInt8] {
        JSON.object([
            "event": .string(event.name.description), "model_name": .string(event.model),
            "data": .array([.object(event.payload)]),
        ])
        .bytes
    }
}
