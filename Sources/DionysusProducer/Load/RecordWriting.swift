import Dionysus
import DionysusSchemas

extension LoadedRows {
    /// Writes a row's record as a datum of its Avro schema, field by field in the schema's order.
    /// - Parameters:
    ///   - program: How records of the model are written.
    ///   - context: What of the message the datum may tell; nil for a record inside another.
    ///   - isGone: Whether the record is marked as destroyed.
    /// - Throws: `AvroFault` for a value that doesn't fit; what a computation throws.
    func write(
        _ index: Int,
        _ program: AvroRecordProgram,
        _ context: RecordContext? = nil,
        isGone: Bool = false,
        into coercion: inout AvroCoercion
    ) throws {
        let variant = program.variant(for: row(index))
        let view = try RecordView(self, index, variant.serializer)
        for step in variant.steps {
            do {
                switch step.source {
                case .record(let source): try coercion.write(view.value(source), step.field.type)
                case .sideload(let place, let sideload): try view.write(place, sideload, step.field, into: &coercion)
                default: try step.write(context, isGone: isGone, into: &coercion)
                }
            } catch let fault as AvroFault {
                throw fault.within(.field(step.field.name))
            }
        }
    }
}

extension AvroRecordProgram.Step {
    /// Writes what the message says, or nothing does.
    func write(_ context: RecordContext?, isGone: Bool, into coercion: inout AvroCoercion) throws(AvroFault) {
        switch (source, context) {
        case (.messageID(let isUUID), let context?):
            try coercion.write(isUUID ? .uuid(context.messageID) : .text(context.messageIDText), field.type)
        case (.timestamp, let context?): try coercion.write(.timestamp(context.recordedAt), field.type)
        case (.mark, _): try coercion.write(DatabaseValue.bool(isGone), field.type)
        default: try coercion.writeMissing(field)
        }
    }
}

/// A row's record with its attributes collected, until another record of its rows is looked at.
struct RecordView {
    private let rows: LoadedRows
    private let loaded: LoadedRow
    private let serializer: SerializerPlan
    private let record: any Model
    private let related: SerializerPlan.Targets

    init(_ rows: LoadedRows, _ index: Int, _ serializer: SerializerPlan) throws {
        self.rows = rows
        self.serializer = serializer
        loaded = LoadedRow(rows: rows, row: rows.row(index), index: index)
        record = try rows.record(index)
        related = try loaded.related(for: serializer)
        do {
            try serializer.collectAttributes(record, related, serializer.sqlValues(loaded.row), rows.values)
        } catch {
            throw loaded.failure(error)
        }
    }

    /// What a field holds.
    func value(_ source: RecordSource) throws -> DatabaseValue {
        switch source {
        case .primaryKey: rows.primaryKey(loaded.row)
        case .attribute(let index): rows.values.attributes[index]
        case .member(let name, let hint):
            rows.values.index(of: name, hint: hint).map(rows.values.member) ?? .null
        case .linkedID(let place):
            switch try link(place) {
            case .object(let link): DatabaseValue(json: link["id"] ?? .null)
            case let id: DatabaseValue(json: id)
            }
        case .linkedType(let place): DatabaseValue(json: try link(place)["type"] ?? .null)
        case .linkedIDs(let place): DatabaseValue(json: try link(place))
        case .sideload: .null
        }
    }

    private func link(_ place: Int) throws -> JSON {
        let relationship = serializer.relationships[place]
        let computed = try relationship.link.map { try $0(record, related, rows.encoder.values) }
        return computed ?? loaded.link(relationship)
    }

    /// Writes the records of a relationship.
    func write(
        _ place: Int,
        _ sideload: AvroRecordProgram.Sideload,
        _ field: AvroRecordType.Field,
        into coercion: inout AvroCoercion
    ) throws {
        let members = try members(serializer.relationships[place], place)
        guard sideload.isToMany else {
            if let member = members.first { return try write(member, sideload, into: &coercion) }
            guard let null = sideload.null else { throw AvroFault("there is no record, and the field can't be null") }
            return coercion.writer.index(null)
        }
        if !members.isEmpty { coercion.writer.blockCount(members.count) }
        for (index, member) in members.enumerated() {
            do {
                try write(member, sideload, into: &coercion)
            } catch let fault as AvroFault {
                throw fault.within(.element(index))
            }
        }
        coercion.writer.blockCount(0)
    }

    private typealias Member = (rows: LoadedRows, index: Int)

    private func write(
        _ member: Member,
        _ sideload: AvroRecordProgram.Sideload,
        into coercion: inout AvroCoercion
    ) throws {
        let name = member.rows.plan.model.name
        guard let branch = sideload.branches[name] else { throw AvroFault("the schema has no record of \(name)") }
        if let index = branch.index { coercion.writer.index(index) }
        try member.rows.write(member.index, branch.program, into: &coercion)
    }

    /// The records that a link leads to: of one that is computed only those that it lists, in its order.
    private func members(_ relationship: SerializerPlan.Relationship, _ place: Int) throws -> [Member] {
        var members: [Member] = []
        for branch in relationship.branches {
            guard let targets = rows.targets(of: branch) else { continue }
            for index in rows.targetRows(of: loaded.row, branch) { members.append((targets, index)) }
        }
        guard relationship.link != nil else { return members }
        let link = try link(place)
        let listed: [JSON] = if case .array(let ids) = link { ids } else { [link] }
        return listed.compactMap { id in members.first { $0.rows.id($0.index) == id } }
    }
}

extension LoadedRows {
    /// The primary key, as records have it.
    func primaryKey(_ row: Row) -> DatabaseValue { DatabaseValue(json: plan.key.json(row[plan.model.primaryKey])) }

    /// Writes a row's record as JSON.
    func recordJSON(_ index: Int, isGone: Bool? = nil) throws -> [UInt8] {
        let row = row(index)
        return try plan.serializer.chosen(for: row)
            .recordJSON(
                of: record(index),
                from: LoadedRow(rows: self, row: row, index: index),
                rows: self,
                isGone: isGone
            )
    }
}

extension SerializerPlan {
    /// A record as JSON: attributes, ids of links, records that came along.
    fileprivate func recordJSON(
        of record: any Model,
        from source: LoadedRow,
        rows: LoadedRows,
        isGone: Bool?
    ) throws -> [UInt8] {
        let related = try source.related(for: self)
        var writer = JSONWriter(capacity: 256)
        writer.literal("{")
        do {
            try writeAttributes(record, related, sqlValues(source.row), rows.encoder, &writer)
        } catch {
            throw source.failure(error)
        }
        var names = Set(attributes?.map(\.name) ?? (0..<rows.encoder.count).map { rows.encoder.name($0) })
        func member(_ name: String, _ write: (inout JSONWriter) throws -> Void) rethrows {
            guard names.insert(name).inserted else { return }
            writer.write(name)
            writer.literal(":")
            try write(&writer)
            writer.literal(",")
        }
        var links: [JSON] = []
        for relationship in relationships {
            let computed = try relationship.link.map { try $0(record, related, rows.encoder.values) }
            let link = computed ?? source.link(relationship)
            links.append(link)
            if relationship.isToMany {
                member(relationship.idsName) { $0.write(link) }
            } else if case .object(let object) = link {
                member(relationship.name + "_id") { $0.write(object["id"] ?? .null) }
                member(relationship.name + "_type") { $0.write(object["type"] ?? .null) }
            } else {
                member(relationship.name + "_id") { $0.write(link) }
                if relationship.isPolymorphic { member(relationship.name + "_type") { $0.write(.null) } }
            }
        }
        for (relationship, link) in zip(relationships, links) where source.isSideloaded(relationship) {
            let found = try source.sideload(relationship) { try $0.recordJSON($1) }
            member(relationship.name) { relationship.write(sideload: found, linkedBy: link, into: &$0) }
        }
        if let isGone { member(RecordDeletion.field) { $0.write(.bool(isGone)) } }
        return writer.bytes.closed
    }
}

extension [UInt8] {
    /// A JSON object whose members each end with a comma.
    var closed: [UInt8] {
        var bytes = self
        if bytes.last == UInt8(ascii: ",") { bytes.removeLast() }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
