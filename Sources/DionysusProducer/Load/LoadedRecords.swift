import Dionysus

/// The current state of a batch's records of one model, as one snapshot has it.
///
/// It is made, used and dropped within one call, so that payloads can be kept without a lock.
final class LoadedRecords {
    let plan: LoadPlan
    let rows: LoadedRows
    let encoder: JSONTreeEncoder
    private let rowByID: [String: Int]
    /// About how much memory the values that were loaded take.
    let byteCount: Int
    private var payloads: [[UInt8]?]
    /// What was made of records for a topic that holds them; empty until there is one.
    private var encoded: [EncodedRecord?] = []
    /// The longest payload so far, in bytes.
    var typicalSize = 256

    /// Takes the results of ``LoadPlan/queries(ids:dialect:)``.
    init(plan: LoadPlan, results: ArraySlice<ResultSet>, encoder: JSONTreeEncoder) {
        self.plan = plan
        self.encoder = encoder
        rows = LoadedRows(plan: plan, results: results, encoder: encoder)
        rowByID = rows.places()
        byteCount = results.reduce(0) { $0 + $1.byteCount }
        payloads = Array(repeating: nil, count: rows.count)
    }

    /// Whether a record exists, and if so, whether it is visible.
    enum State {
        case gone
        case softDeleted
        case visible
    }

    /// How many records there are.
    var count: Int { rows.count }
    /// How the records are distinguished.
    var key: RecordKey { plan.key }

    func place(of id: String) -> Int? {
        rowByID[id] ?? (plan.key.hasSpellings ? rowByID[plan.key.canonical(id)] : nil)
    }

    func state(of id: String) -> State {
        guard let index = place(of: id) else { return .gone }
        guard let column = plan.softDeleteColumn else { return .visible }
        return rows.row(index)[column].isNull ? .visible : .softDeleted
    }

    /// Whether a record is one of those whose updates are published after its soft deletion.
    func isUpdatedAfterSoftDelete(_ id: String) -> Bool {
        guard let condition = plan.model.updatesAfterSoftDelete, let index = place(of: id) else { return false }
        return condition.holds(for: rows.row(index)[condition.column])
    }

    /// The record; nil if it is gone.
    func record(_ id: String) throws -> (any Model)? { try place(of: id).map(rows.record) }

    /// The payload of a record.
    /// - Parameters:
    ///   - id: The record's primary key, as the outbox has it.
    ///   - kept: What is known of the record if it is gone.
    func json(of id: String, kept: KeptValues) throws -> JSON {
        try JSON(parsing: payload(of: id, kept: kept))
    }

    /// The payload of a record as JSON, made once however many rows of the outbox are about it.
    /// - Parameters:
    ///   - id: The record's primary key, as the outbox has it.
    ///   - kept: What is known of the record if it is gone.
    func payload(of id: String, kept: @autoclosure () -> KeptValues = KeptValues()) throws -> [UInt8] {
        guard let index = place(of: id) else {
            return encoder.finished(JSON.object(payloadOfGone(id, kept())).bytes)
        }
        if let payload = payloads[index] { return payload }
        var writer = JSONWriter(capacity: typicalSize)
        try rows.writePayload(index, into: &writer)
        let payload = encoder.finished(writer.bytes)
        payloads[index] = payload
        typicalSize = max(typicalSize, writer.bytes.count)
        return payload
    }

    /// What was made of a row's record for the topic, if it was kept.
    func encodedRecord(_ index: Int) -> EncodedRecord? { encoded.isEmpty ? nil : encoded[index] }

    /// Keeps what was made of a row's record for the topic.
    func keep(_ record: EncodedRecord, _ index: Int) {
        if encoded.isEmpty { encoded = Array(repeating: nil, count: rows.count) }
        encoded[index] = record
    }

    /// Its primary key, no links, and what is known of its declared attributes.
    func payloadOfGone(_ id: String, _ kept: KeptValues) -> JSON.Object {
        var members = [JSON.Object.Member(plan.model.primaryKey, plan.key.json(text: id))]
        let declared = plan.serializer.properties ?? plan.columns.map { .init(name: $0, scale: nil) }
        for property in declared where property.name != plan.model.primaryKey {
            guard let value = kept.values[property.name] else { continue }
            let json = KeptValues.onTheWire(value, as: plan.columnTypes[property.name], encoder)
            members.append(.init(property.name, json.scaled(to: property.scale, encoder)))
        }
        members.insert(.init("links", .object([:])), at: encoder.writesAsRails ? 0 : members.count)
        return JSON.Object(members)
    }

    /// A record that is gone, as far as it is known: its other attributes mean nothing.
    /// - Returns: The record, or nil if not all of these columns are known.
    func record(_ kept: KeptValues, reading columns: [String]) -> (any Model)? {
        guard !columns.isEmpty, columns.allSatisfy({ kept.values[$0] != nil }) else { return nil }
        let cells = columns.map { KeptValues.stored(kept.values[$0] ?? .null, as: plan.columnTypes[$0]) }
        let row = ResultSet(columns: columns, cells: cells, affectedRows: 1).first
        return row.flatMap { try? plan.model.decodePart($0) }
    }
}
