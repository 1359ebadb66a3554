import Dionysus
import DionysusSchemas

/// How records of one model are written as data of an Avro schema, worked out once for both.
struct AvroRecordProgram: Sendable {
    /// A field, in the schema's order.
    ///
    /// It is a class, so that going over the steps of a record copies nothing of the schema.
    final class Step: Sendable {
        enum Source: Sendable {
            case record(RecordSource)
            case sideload(Int, Sideload)
            /// An id of the message.
            case messageID(isUUID: Bool)
            /// When the change was recorded.
            case timestamp
            /// Whether the record is gone.
            case mark
            /// Nothing: the field gets its default.
            case missing
        }

        let source: Source
        let field: AvroRecordType.Field

        init(source: Source, field: AvroRecordType.Field) {
            self.source = source
            self.field = field
        }
    }

    /// One of the types that data can be.
    struct Branch: Sendable {
        /// The place among the branches of a union, if the data are one.
        let index: Int?
        let program: AvroRecordProgram
    }

    /// How records of a relationship are written.
    struct Sideload: Sendable {
        let isToMany: Bool
        /// The union's branch for no record; nil where there has to be one.
        let null: Int?
        /// By the names of the models.
        let branches: [String: Branch]
    }

    /// The fields that a serializer fills.
    final class Variant: Sendable {
        let serializer: SerializerPlan
        let steps: [Step]

        init(serializer: SerializerPlan, steps: [Step]) {
            self.serializer = serializer
            self.steps = steps
        }
    }

    let schema: AvroSchema
    private let standard: Variant
    private let variants: [String: Variant]
    /// Whether data tells more than the state of the record, so that it is another one in each message.
    let dependsOnMessage: Bool

    /// - Parameters:
    ///   - plan: How the records are loaded.
    ///   - type: The place of their type in the schema.
    ///   - isPart: Whether they are written inside others.
    /// - Throws: ``DionysusError`` with code `declaration` for a schema whose records can't be made of the model's.
    init(_ plan: LoadPlan, _ schema: AvroSchema, type: Int? = nil, isPart: Bool = false) throws {
        guard case .record(let record) = schema.types[type ?? schema.root].kind else {
            throw DionysusError(
                .declaration,
                "model \(plan.model.name) can't be written by an Avro schema that is no record",
                advice: "name the schema of a record"
            )
        }
        func variant(_ serializer: SerializerPlan) throws -> Variant {
            let sources = try plan.sources(serializer)
            let steps = try record.fields.map { field in
                let source = sources.first { $0.name == field.name }?.source
                return Step(
                    source: try Self.source(source, field, plan, serializer, schema, isPart: isPart),
                    field: field
                )
            }
            return Variant(serializer: serializer, steps: steps)
        }
        self.schema = schema
        standard = try variant(plan.serializer)
        variants = try plan.serializer.variants?.plans.mapValues(variant) ?? [:]
        dependsOnMessage = ([standard] + variants.values)
            .contains { variant in
                variant.steps.contains { step in
                    switch step.source {
                    case .messageID, .timestamp: true
                    default: false
                    }
                }
            }
    }

    /// The fields of a row's record.
    func variant(for row: Row) -> Variant {
        guard !variants.isEmpty, let column = standard.serializer.variants?.column else { return standard }
        return variants[row[column].primaryKeyText] ?? standard
    }

    /// The fields of a record that is gone.
    var steps: [Step] { standard.steps }

    private static func source(
        _ source: RecordSource?,
        _ field: AvroRecordType.Field,
        _ plan: LoadPlan,
        _ serializer: SerializerPlan,
        _ schema: AvroSchema,
        isPart: Bool
    ) throws -> Step.Source {
        if case .sideload(let place)? = source {
            let sideload = try sideload(serializer.relationships[place], field, plan, schema)
            return .sideload(place, sideload)
        }
        if let source { return .record(source) }
        if !isPart {
            switch field.name {
            case "message_id": return .messageID(isUUID: schema.types[field.type].logical == .uuid)
            case "timestamp": return .timestamp
            case RecordDeletion.field: return .mark
            default: break
            }
        }
        guard field.defaultValue != nil || schema.types[field.type].isNullable(in: schema) else {
            throw DionysusError(
                .declaration,
                "nothing of model \(plan.model.name) fills the field \(field.name) of its Avro schema, which has no default",
                advice: "add an attribute of this name, or a default"
            )
        }
        return .missing
    }

    private static func sideload(
        _ relationship: SerializerPlan.Relationship,
        _ field: AvroRecordType.Field,
        _ plan: LoadPlan,
        _ schema: AvroSchema
    ) throws -> Sideload {
        let items: Int? = if case .array(let items) = schema.types[field.type].kind { items } else { nil }
        guard (items != nil) == relationship.isToMany else {
            throw DionysusError(
                .declaration,
                "the field \(field.name) of the Avro schema of \(plan.model.name) is \(items == nil ? "no list" : "a list"), "
                    + "and its link leads to \(relationship.isToMany ? "several records" : "one record")",
                advice: "let it be a list of records for a link to several, and a record or null for a link to one"
            )
        }
        let place = items ?? field.type
        let union: [Int]? = if case .union(let branches) = schema.types[place].kind { branches } else { nil }
        var branches: [String: Branch] = [:]
        for edge in plan.edges where relationship.branches.contains(edge.association) {
            let name = edge.target.model.name
            let candidates = (union ?? [place]).filter { schema.types[$0].isRecord }
            // Of several, the one that is called as the model.
            let own = candidates.first { schema.types[$0].name?.split(separator: ".").last.map(String.init) == name }
            guard let type = own ?? (candidates.count == 1 ? candidates[0] : nil) else {
                throw DionysusError(
                    .declaration,
                    "the field \(field.name) of the Avro schema of \(plan.model.name) holds no records, which \(name) could be",
                    advice: "let it be a record, or a list of records if there may be several"
                )
            }
            branches[name] = Branch(
                index: union?.firstIndex(of: type),
                program: try AvroRecordProgram(edge.target, schema, type: type, isPart: true)
            )
        }
        return Sideload(
            isToMany: relationship.isToMany,
            null: union?.firstIndex { schema.types[$0].isNull },
            branches: branches
        )
    }
}

extension AvroType {
    fileprivate var isRecord: Bool { if case .record = kind { true } else { false } }

    func isNullable(in schema: AvroSchema) -> Bool {
        guard case .union(let branches) = kind else { return isNull }
        return branches.contains { schema.types[$0].isNull }
    }
}
