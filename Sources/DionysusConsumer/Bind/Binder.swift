import Dionysus

/// Turns payloads into values of columns.
///
/// What does not fit fails, message by message.
struct Binder {
    let replicas: Replicas
    /// Whether the topic hands over created and destroyed events to replicas that import them.
    private let imports: Bool
    /// What is bound so far of the records that are written together.
    var draft = BatchDraft()
    /// What is written before the draft, and hands over events that the draft's may rest upon.
    private var finished: [BoundBatch] = []
    /// The place of an event among all.
    private var order = 0

    /// What is bound of one message.
    struct Part {
        let message: DecodedMessage
        var events: [BoundEvent] = []
        var delegated: [DelegatedEvent] = []
        /// What keeps records of the message from being stored, but not its other ones.
        var defect: DionysusError?
    }

    /// Creates a binder for one batch.
    /// - Parameters:
    ///   - replicas: How the models are kept.
    ///   - imports: Whether the topic hands over created and destroyed events to replicas that import them.
    init(replicas: Replicas, imports: Bool) {
        self.replicas = replicas
        self.imports = imports
    }

    static func bind(
        _ messages: [DecodedMessage],
        replicas: Replicas,
        imports: Bool
    ) throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        var binder = Binder(replicas: replicas, imports: imports)
        var failures: [FailedMessage] = []
        for message in messages {
            do {
                guard let defect = try binder.add(message) else { continue }
                let error = DionysusError(in: message.message, defect)
                failures.append(FailedMessage(message: message.message, error: error, attempts: 1, isPartial: true))
            } catch let error as DionysusError where error.code == .declaration {
                throw error
            } catch {
                let error = DionysusError(in: message.message, error)
                failures.append(FailedMessage(message: message.message, error: error, attempts: 1))
            }
        }
        return (binder.whole, failures)
    }

    private var whole: BoundBatch {
        guard var first = finished.first else { return draft.batch }
        first.following = finished.dropFirst() + [draft.batch]
        return first
    }

    /// Binds the events of a message, or none of them.
    /// - Returns: What keeps some of its records from being stored, if something does.
    private mutating func add(_ message: DecodedMessage) throws -> DionysusError? {
        let parts = dividedAtDelegations(message)
        let before = parts.count > 1 ? self : nil
        var defect: DionysusError?
        do {
            for part in parts {
                if draft.handsOver(models(ofRecordsIn: part)) { divide() }
                var bound = Part(message: part)
                try bind(&bound)
                draft.add(bound.events, bound.delegated)
                defect = bound.defect ?? defect
            }
        } catch {
            if let before { self = before }
            throw error
        }
        return defect
    }

    /// Lets what follows be written after the events that have been handed over.
    private mutating func divide() {
        finished.append(draft.batch)
        draft = BatchDraft()
    }

    /// The parts of a message that each hand over events only after their other ones.
    private func dividedAtDelegations(_ message: DecodedMessage) -> [DecodedMessage] {
        guard imports, message.events.count > 1 else { return [message] }
        var parts: [DecodedMessage] = []
        var part = DecodedMessage(message: message.message, version: message.version, events: [])
        for event in message.events {
            if handler(of: event) == nil, part.events.contains(where: { handler(of: $0) != nil }) {
                parts.append(part)
                part.events = []
            }
            part.events.append(event)
        }
        return parts + [part]
    }

    /// The models whose records a message has stored in tables.
    private func models(ofRecordsIn message: DecodedMessage) -> Set<String> {
        guard imports else { return [] }
        var rows = message
        rows.events.removeAll { handler(of: $0) != nil }
        return [rows].modelNames
    }

    private func handler(of event: DecodedEvent) -> RecordHandler? {
        if let handler = replicas.handlers[event.model] { return handler }
        guard imports, let declaration = replicas.tables[event.model]?.declaration else { return nil }
        return declaration.importHandler(of: event.name.change)
    }

    private mutating func bind(_ part: inout Part) throws {
        let message = part.message
        for event in message.events {
            if let handler = handler(of: event) {
                for payload in event.records {
                    order += 1
                    part.delegated.append(delegatedEvent(payload, event, handler, standsAlone: true, in: message))
                }
                continue
            }
            guard let layout = draft.layout(of: event.model, in: replicas) else {
                if replicas.refused.contains(event.model) {
                    draft.batch.refused += event.records.count
                } else {
                    draft.batch.withoutReplica += event.records.count
                }
                continue
            }
            let table = draft.table(layout)
            for payload in event.records {
                order += 1
                if message.hasSeveralRecords, lacksID(payload, table, &part) { continue }
                let recency = Recency(
                    version: message.version,
                    time: payload.time,
                    timeUnit: payload.timeUnit,
                    columnUnit: table.timeUnit(of: payload),
                    source: message.message.source,
                    offset: message.message.offset,
                    written: message.message.timestamp
                )
                let record = try record(payload, event.name.change, layout, recency, &part)
                part.events.append(
                    BoundEvent(
                        order: order,
                        message: message.message,
                        name: event.name,
                        payload: payload,
                        record: record
                    )
                )
            }
        }
    }

    /// Whether a record of a message with several can't be stored because it has no id, while the others can.
    func lacksID(_ payload: RecordPayload, _ table: ReplicaTable, _ part: inout Part) -> Bool {
        guard payload.id == nil else { return false }
        part.defect = DionysusError(
            .malformed,
            "a payload of \(table.model) has no id; the message's other records have been applied",
            advice: "let the producer publish the record again, with its id, and delete the failure"
        )
        return true
    }

    func delegatedEvent(
        _ payload: RecordPayload,
        _ event: DecodedEvent,
        _ handler: @escaping RecordHandler,
        standsAlone: Bool,
        in message: DecodedMessage
    ) -> DelegatedEvent {
        DelegatedEvent(
            order: order,
            kind: DelegatedEvent.Kind(
                model: event.model,
                change: replicas.handlers[event.model] == nil ? event.name.change : nil
            ),
            event: IncomingEvent(payload, of: event, in: message),
            handler: handler,
            standsAlone: standsAlone
        )
    }

    mutating func record(
        _ payload: RecordPayload,
        _ change: EventName.Change,
        _ table: Int,
        _ recency: Recency,
        _ part: inout Part
    ) throws -> BoundRecord {
        let replica = draft.table(table)
        guard let json = payload.id else {
            throw DionysusError(.malformed, "a payload of \(replica.model) has no id")
        }
        let id = try replica.id.value(for: json)
        let binding = draft.binding(of: payload.shape, table)
        var assignments: [(slot: Int, value: DatabaseValue)] = []
        assignments.reserveCapacity(binding.cells.count + 1)
        for cell in binding.cells {
            let value = try cell.source.map { try cell.column.value(for: payload.values[$0]) } ?? .null
            assignments.append((cell.slot, value))
        }
        if let slot = binding.dataSlot, let column = replica.data {
            let isJSON = column.type == .json
            assignments.append((slot, isJSON ? .json(payload.text) : try column.value(for: .object(payload.data))))
        }
        var slots = binding.slots
        for (column, value) in try storedValues(of: payload, replica) {
            let slot = draft.batch.layouts[table].slot(of: column)
            slots.insert(slot)
            assignments.append((slot, value))
        }
        var sideloads = try payload.sideloads.compactMap { try sideload($0, of: json, replica, recency, &part) }
        if change == .destroyed { sideloads += try endings(of: json, replica) }
        return BoundRecord(
            table: table,
            number: draft.number(of: id, table),
            event: RecordEvent(
                change: change,
                recency: recency,
                cancellation: payload.cancellation,
                createdAt: replica.creationTime(of: payload),
                updatedAt: replica.updateTime(of: payload),
                slots: slots,
                assignments: assignments,
                keptData: replica.declaration.payloadKeeping == nil ? nil : payload.data
            ),
            sideloads: sideloads
        )
    }

    /// What the application makes of a payload.
    private func storedValues(
        of payload: RecordPayload,
        _ replica: ReplicaTable
    ) throws -> [(column: ReplicaColumn, value: DatabaseValue)] {
        guard let storing = replica.declaration.storing else { return [] }
        return try storing(payload.data)
            .sorted { $0.key < $1.key }
            .map { name, value in
                guard let column = replica.column(toStore: name) else {
                    throw DionysusError(
                        .declaration,
                        "table \(replica.name) has no column \(name) that the application could store in",
                        advice: "create the column, or change what is stored of \(replica.model)"
                    )
                }
                return (column, try column.value(for: value))
            }
    }
}

extension DecodedMessage {
    fileprivate var hasSeveralRecords: Bool { events.count > 1 || (events.first?.records.count ?? 0) > 1 }
}
