import Dionysus

/// Turns payloads into values of columns.
///
/// What does not fit fails, message by message.
struct Binder {
    private let replicas: Replicas
    /// Whether the topic hands over created and destroyed events to replicas that import them.
    private let imports: Bool
    private var batch = BoundBatch()
    /// What is written before the batch, and hands over events that the batch's may rest upon.
    private var finished: [BoundBatch] = []
    private var numbers: [[DatabaseValue: Int]] = []
    private var layoutNumbers: [String: Int] = [:]
    private var bindings: [[ObjectIdentifier: ShapeBinding]] = []
    /// The models whose events the batch hands over.
    private var delegatedModels: Set<String> = []
    /// The message that is being bound, and the place of its event among all.
    private var message: DecodedMessage?
    private var order = 0
    /// What keeps records of the message from being stored, but not its other ones.
    private var defect: DionysusError?

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
                try binder.add(message)
                guard let defect = binder.defect else { continue }
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
        guard var first = finished.first else { return batch }
        first.following = finished.dropFirst() + [batch]
        return first
    }

    /// Binds the events of a message, or none of them.
    private mutating func add(_ message: DecodedMessage) throws {
        let parts = dividedAtDelegations(message)
        let before = parts.count > 1 ? self : nil
        defect = nil
        do {
            for part in parts {
                if !delegatedModels.isEmpty, !models(ofRecordsIn: part).isDisjoint(with: delegatedModels) { divide() }
                let (events, delegated) = try self.events(of: part)
                batch.events += events
                batch.delegated += delegated
                delegatedModels.formUnion(delegated.map(\.kind.model))
            }
        } catch {
            if let before { self = before }
            throw error
        }
    }

    /// Lets what follows be written after the events that have been handed over.
    private mutating func divide() {
        finished.append(batch)
        batch = BoundBatch()
        delegatedModels = []
        numbers = []
        layoutNumbers = [:]
        bindings = []
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

    private mutating func events(of message: DecodedMessage) throws -> (
        events: [BoundEvent], delegated: [DelegatedEvent]
    ) {
        var events: [BoundEvent] = []
        var delegated: [DelegatedEvent] = []
        self.message = message
        for event in message.events {
            if let handler = handler(of: event) {
                for payload in event.records {
                    order += 1
                    delegated.append(delegatedEvent(payload, event, handler, standsAlone: true, in: message))
                }
                continue
            }
            guard let layout = layout(of: event.model) else {
                if replicas.refused.contains(event.model) {
                    batch.refused += event.records.count
                } else {
                    batch.withoutReplica += event.records.count
                }
                continue
            }
            for payload in event.records {
                order += 1
                if lacksID(payload, batch.layouts[layout].table, isOneOfSeveral: message.hasSeveralRecords) { continue }
                let recency = Recency(
                    version: message.version,
                    time: payload.time,
                    timeUnit: payload.timeUnit,
                    columnUnit: batch.layouts[layout].table.timeUnit(of: payload),
                    source: message.message.source,
                    offset: message.message.offset,
                    written: message.message.timestamp
                )
                let record = try record(payload, event.name.change, layout, recency)
                events.append(
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
        return (events, delegated)
    }

    /// Whether a record can't be stored because it has no id, while others of its message can.
    private mutating func lacksID(_ payload: RecordPayload, _ table: ReplicaTable, isOneOfSeveral: Bool) -> Bool {
        guard isOneOfSeveral, payload.id == nil else { return false }
        defect = DionysusError(
            .malformed,
            "a payload of \(table.model) has no id; the message's other records have been applied",
            advice: "let the producer publish the record again, with its id, and delete the failure"
        )
        return true
    }

    private func delegatedEvent(
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

    /// The number of a model's replica in the batch, or nil for a model that is not kept.
    private mutating func layout(of model: String) -> Int? {
        if let number = layoutNumbers[model] { return number }
        guard let table = replicas.tables[model] else { return nil }
        // Several names may stand for one table: `Crm::Contact`, and `CrmContact` where only a link names it.
        if table.declaration.isConventional,
            let number = batch.layouts.firstIndex(where: {
                $0.table.declaration.isConventional && $0.table.name == table.name
            })
        {
            layoutNumbers[model] = number
            return number
        }
        layoutNumbers[model] = batch.layouts.count
        batch.layouts.append(Layout(table))
        batch.ids.append([])
        numbers.append([:])
        bindings.append([:])
        return batch.layouts.count - 1
    }

    private mutating func record(
        _ payload: RecordPayload,
        _ change: EventName.Change,
        _ table: Int,
        _ recency: Recency
    ) throws -> BoundRecord {
        let replica = batch.layouts[table].table
        guard let json = payload.id else {
            throw DionysusError(.malformed, "a payload of \(replica.model) has no id")
        }
        let id = try replica.id.value(for: json)
        let binding = binding(of: payload.shape, table)
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
            let slot = batch.layouts[table].slot(of: column)
            slots.insert(slot)
            assignments.append((slot, value))
        }
        var sideloads = try payload.sideloads.compactMap { try sideload($0, of: json, replica, recency) }
        if change == .destroyed { sideloads += try endings(of: json, replica) }
        return BoundRecord(
            table: table,
            number: number(of: id, table),
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

    /// What becomes of the members that a record leaves behind if its row goes: a replica that is told which ones there are
    /// has none then.
    private mutating func endings(of parent: JSON, _ owner: ReplicaTable) throws -> [BoundSideload] {
        var endings: [BoundSideload] = []
        for (relationship, policy) in owner.declaration.associations.sorted(by: { $0.key < $1.key }) {
            let resolution: Resolution
            switch policy {
            case .join(let table, let parentName, let memberName):
                resolution = .join(try joinedMembers(table, parentName, memberName, parent, []))
            case .replace(let foreignKey):
                guard let model = replicas.parts[owner.model]?[relationship], let table = layout(of: model) else {
                    continue
                }
                resolution = try replacement(in: table, foreignKey, of: parent, by: [])
            }
            endings.append(BoundSideload(records: [], resolution: resolution, endsWithParent: true))
        }
        return endings
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

    private mutating func binding(of shape: RecordShape, _ table: Int) -> ShapeBinding {
        let key = ObjectIdentifier(shape)
        if let binding = bindings[table][key] { return binding }
        let binding = ShapeBinding(shape, &batch.layouts[table])
        bindings[table][key] = binding
        return binding
    }

    private mutating func number(of id: DatabaseValue, _ table: Int) -> Int {
        if let number = numbers[table][id] { return number }
        let number = batch.ids[table].count
        numbers[table][id] = number
        batch.ids[table].append(id)
        return number
    }

    private mutating func sideload(
        _ sideload: Sideload,
        of parent: JSON,
        _ owner: ReplicaTable,
        _ recency: Recency
    ) throws -> BoundSideload? {
        if replicas.refused.contains(sideload.model) { batch.refused += sideload.records.count }
        let resolution = try customResolution(of: sideload, of: parent, owner, recency)
        let delegated = delegated(of: sideload)
        let kept = try keptSideload(sideload, of: parent, owner, recency)
        guard kept != nil || resolution != nil || !delegated.isEmpty else { return nil }
        var bound = kept ?? BoundSideload(records: [], resolution: nil)
        bound.customResolution = resolution
        bound.delegated = delegated
        return bound
    }

    /// The records that came along, where a closure of the application takes their model's.
    private func delegated(of sideload: Sideload) -> [DelegatedEvent] {
        guard let message, let handler = replicas.handlers[sideload.model] else { return [] }
        let name = EventName(Inflection.underscored(sideload.model), .updated)
        let event = DecodedEvent(name: name, model: sideload.model, records: sideload.records)
        return sideload.records.map { delegatedEvent($0, event, handler, standsAlone: false, in: message) }
    }

    private func customResolution(
        of sideload: Sideload,
        of parent: JSON,
        _ owner: ReplicaTable,
        _ recency: Recency
    ) throws -> CustomResolution? {
        guard let resolver = owner.declaration.resolvers[sideload.name] else { return nil }
        let members = replicas.tables[sideload.model]
        let resolution = AssociationResolution(
            relationship: sideload.name,
            parent: LocalRecord(model: owner.model, id: try owner.id.value(for: parent)),
            memberModel: sideload.model,
            memberIDs: try sideload.ids.map { try members?.id.value(for: $0) ?? DatabaseValue(id: $0) },
            isToMany: sideload.isToMany,
            version: recency.version
        )
        return CustomResolution(resolution: resolution, resolver: resolver)
    }

    private mutating func keptSideload(
        _ sideload: Sideload,
        of parent: JSON,
        _ owner: ReplicaTable,
        _ recency: Recency
    ) throws -> BoundSideload? {
        let policy = owner.declaration.associations[sideload.name]
        if case .join(let table, let parentName, let memberName)? = policy {
            let joined = try joinedMembers(table, parentName, memberName, parent, sideload.ids)
            return BoundSideload(records: try records(of: sideload, recency), resolution: .join(joined))
        }
        guard let table = layout(of: sideload.model) else { return nil }
        guard case .replace(let foreignKey)? = policy else {
            return BoundSideload(records: try records(of: sideload, recency), resolution: nil)
        }
        let resolution = try replacement(in: table, foreignKey, of: parent, by: sideload.ids)
        return BoundSideload(records: try records(of: sideload, recency), resolution: resolution)
    }

    private mutating func replacement(
        in table: Int,
        _ foreignKey: String,
        of parent: JSON,
        by ids: [JSON]
    ) throws -> Resolution {
        let replica = batch.layouts[table].table
        guard let column = replica.columns[foreignKey] else {
            throw DionysusError(.declaration, "table \(replica.name) has no column \(foreignKey) to replace members by")
        }
        return .replace(
            table: table,
            foreignKey: batch.layouts[table].addForeignKey(column),
            parent: try column.value(for: parent),
            members: Set(try ids.map { try replica.id.value(for: $0) })
        )
    }

    private mutating func records(of sideload: Sideload, _ recency: Recency) throws -> [BoundRecord] {
        guard let table = layout(of: sideload.model) else { return [] }
        return try sideload.records.compactMap { payload in
            if lacksID(payload, batch.layouts[table].table, isOneOfSeveral: true) { return nil }
            var own = recency
            own.time = payload.time
            own.timeUnit = payload.timeUnit
            own.columnUnit = batch.layouts[table].table.timeUnit(of: payload)
            return try record(payload, .updated, table, own)
        }
    }

    private func joinedMembers(
        _ table: String,
        _ parentName: String,
        _ memberName: String,
        _ parent: JSON,
        _ members: [JSON]
    ) throws -> JoinedMembers {
        guard let description = replicas.joinTables[table], let parentColumn = description.column(parentName),
            let memberColumn = description.column(memberName)
        else {
            throw DionysusError(.declaration, "there is no join table \(table) with \(parentName) and \(memberName)")
        }
        let columns = (parent: ReplicaColumn(parentColumn), member: ReplicaColumn(memberColumn))
        return JoinedMembers(
            joinTable: table,
            parentColumn: columns.parent,
            memberColumn: columns.member,
            parent: try columns.parent.value(for: parent),
            members: try members.map { try columns.member.value(for: $0) }
        )
    }
}

extension DatabaseValue {
    /// An id on the wire of a record that has no column here which would say its type.
    fileprivate init(id json: JSON) {
        self =
            switch json {
            case .null: .null
            case .integer(let value): .integer(value)
            case .string(let text): .text(text)
            default: .text(json.text)
            }
    }
}

extension DecodedMessage {
    fileprivate var hasSeveralRecords: Bool { events.count > 1 || (events.first?.records.count ?? 0) > 1 }
}
