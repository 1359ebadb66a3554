import Dionysus

/// Turns payloads into values of columns.
///
/// What does not fit fails, message by message.
struct Binder {
    private let tables: [String: ReplicaTable]
    private let joinTables: [String: TableDescription]
    private var batch = BoundBatch()
    private var numbers: [[DatabaseValue: Int]] = []
    private var layoutNumbers: [String: Int] = [:]
    private var bindings: [[ObjectIdentifier: ShapeBinding]] = []

    /// Creates a binder for one batch.
    /// - Parameters:
    ///   - tables: The replicas by the models' names.
    ///   - joinTables: The join tables of their associations by their names.
    init(tables: [String: ReplicaTable], joinTables: [String: TableDescription]) {
        self.tables = tables
        self.joinTables = joinTables
    }

    static func bind(
        _ messages: [DecodedMessage],
        tables: [String: ReplicaTable],
        joinTables: [String: TableDescription]
    ) throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        var binder = Binder(tables: tables, joinTables: joinTables)
        var failures: [FailedMessage] = []
        for message in messages {
            do {
                let events = try binder.events(of: message)
                binder.batch.events += events
            } catch let error as DionysusError where error.code == .declaration {
                throw error
            } catch {
                let error = DionysusError(in: message.message, error)
                failures.append(FailedMessage(message: message.message, error: error, attempts: 1))
            }
        }
        binder.batch.messages = messages.count - failures.count
        return (binder.batch, failures)
    }

    private mutating func events(of message: DecodedMessage) throws -> [BoundEvent] {
        var events: [BoundEvent] = []
        for event in message.events {
            guard let layout = layout(of: event.model) else { continue }
            for payload in event.records {
                let moment = Moment(
                    version: message.version,
                    time: batch.layouts[layout].table.time(of: payload),
                    source: message.message.source,
                    offset: message.message.offset,
                    written: message.message.timestamp
                )
                let record = try record(payload, event.name.change, layout, moment)
                events.append(
                    BoundEvent(message: message.message, name: event.name, payload: payload, record: record)
                )
            }
        }
        return events
    }

    /// The number of a model's replica in the batch, or nil for a model that is not kept.
    private mutating func layout(of model: String) -> Int? {
        if let number = layoutNumbers[model] { return number }
        guard let table = tables[model] else { return nil }
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
        _ moment: Moment
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
        return BoundRecord(
            table: table,
            number: number(of: id, table),
            event: RecordEvent(
                change: change,
                moment: moment,
                cancellation: payload.cancellation,
                createdAt: replica.creationTime(of: payload),
                updatedAt: replica.updateTime(of: payload),
                slots: binding.slots,
                assignments: assignments
            ),
            sideloads: try payload.sideloads.compactMap { try sideload($0, of: json, replica, moment) }
        )
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
        _ moment: Moment
    ) throws -> BoundSideload? {
        let policy = owner.declaration.associations[sideload.name]
        if case .join(let table, let parentName, let memberName)? = policy {
            let joined = try joinedMembers(table, parentName, memberName, parent, sideload.ids)
            return BoundSideload(records: try records(of: sideload, moment), resolution: .join(joined))
        }
        guard let table = layout(of: sideload.model) else { return nil }
        guard case .replace(let foreignKey)? = policy else {
            return BoundSideload(records: try records(of: sideload, moment), resolution: nil)
        }
        let replica = batch.layouts[table].table
        guard let column = replica.columns[foreignKey] else {
            throw DionysusError(.declaration, "table \(replica.name) has no column \(foreignKey) to replace members by")
        }
        let resolution = Resolution.replace(
            table: table,
            foreignKey: batch.layouts[table].addForeignKey(column),
            parent: try column.value(for: parent),
            members: Set(try sideload.ids.map { try replica.id.value(for: $0) })
        )
        return BoundSideload(records: try records(of: sideload, moment), resolution: resolution)
    }

    private mutating func records(of sideload: Sideload, _ moment: Moment) throws -> [BoundRecord] {
        guard let table = layout(of: sideload.model) else { return [] }
        return try sideload.records.map { payload in
            var own = moment
            own.time = batch.layouts[table].table.time(of: payload)
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
        guard let description = joinTables[table], let parentColumn = description.column(parentName),
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
