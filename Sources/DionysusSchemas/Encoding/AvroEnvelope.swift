import Dionysus

/// Where the parts of an envelope are in its Avro schema.
package struct AvroEnvelope: Sendable {
    /// The list of events: the one field that an envelope needs.
    package static let events = "message"
    /// An event's name.
    package static let event = "event"
    /// The name of its model.
    package static let model = "model_name"
    /// Its records.
    package static let data = "data"
    /// What stands behind a model's name in the name of what is left of its destroyed records.
    package static let remains = "_remains"

    private let schema: AvroSchema
    /// The envelope.
    package let record: AvroRecordType
    /// An event.
    package let eventRecord: AvroRecordType
    /// The branches of the union that the data are; nil if they are records of one type.
    private let branches: [Int]?
    /// The places of the types of records.
    private let records: [Int]

    fileprivate init?(_ schema: AvroSchema) {
        guard case .record(let record) = schema.types[schema.root].kind,
            let event = schema.element(of: Self.events, in: record),
            case .record(let eventRecord) = schema.types[event].kind,
            eventRecord.places[Self.event] != nil, eventRecord.places[Self.model] != nil,
            let data = schema.element(of: Self.data, in: eventRecord)
        else { return nil }
        let branches: [Int]? = if case .union(let branches) = schema.types[data].kind { branches } else { nil }
        self.schema = schema
        self.record = record
        self.eventRecord = eventRecord
        self.branches = branches
        records = (branches ?? [data]).filter { if case .record = schema.types[$0].kind { true } else { false } }
        guard !records.isEmpty else { return nil }
    }

    /// A type that the data can be.
    package struct Branch: Sendable {
        /// The type's place in the schema.
        package let type: Int
        /// Its place among the branches of the union, if the data are one.
        package let index: Int?
    }

    /// The type of a model's records: the one that is called as the model, or the only one.
    package func branch(of model: String) -> Branch? {
        if let own = branch(named: model) { return own }
        let others = records.filter { !(schema.types[$0].name?.hasSuffix(Self.remains) ?? false) }
        return others.count == 1 ? branch(others[0]) : nil
    }

    /// The type of what is left of a model's destroyed records, if the schema has one.
    package func branch(ofRemains model: String) -> Branch? { branch(named: model + Self.remains) }

    /// The schema of a model's records alone.
    package func recordSchema(of model: String) -> AvroSchema? { branch(of: model).map { schema.schema(at: $0.type) } }

    private func branch(named name: String) -> Branch? {
        records.first { schema.types[$0].name?.split(separator: ".").last.map(String.init) == name }
            .map { branch($0) }
    }

    private func branch(_ type: Int) -> Branch { Branch(type: type, index: branches?.firstIndex(of: type)) }
}

extension AvroSchema {
    /// Where the parts of an envelope are; nil if data of the schema isn't one.
    package var envelope: AvroEnvelope? { AvroEnvelope(self) }

    /// Where the parts of an envelope are.
    /// - Throws: `DionysusError` with code `declaration` for a schema of something else.
    package var requiredEnvelope: AvroEnvelope {
        get throws {
            if let envelope { return envelope }
            throw DionysusError(
                .declaration,
                "the Avro schema \(title) is not that of an envelope",
                advice:
                    "let it be a record with a list \"message\" of records, which have \"event\", \"model_name\" and a list "
                    + "\"data\" of records, or let the encoding be .record"
            )
        }
    }

    /// The place of the elements of a field that is a list.
    fileprivate func element(of field: String, in record: AvroRecordType) -> Int? {
        guard let place = record.places[field], case .array(let items) = types[record.fields[place].type].kind else {
            return nil
        }
        return items
    }
}
