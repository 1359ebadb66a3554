import Dionysus
import DionysusProducer
import DionysusSchemas

/// The models of a declaration, as a file has them.
enum FileModels {
    /// All models that a declaration names, in the order in which it does.
    static func all(in namespaces: [ProducerNamespace], _ polls: [PolledModel]) -> [ModelDescription] {
        let publications = namespaces.flatMap { $0.topics.flatMap(\.publications) }
        let serializers = namespaces.flatMap(\.serializers.outlines)
        var associations: [AssociationDescription] = []
        for serializer in serializers {
            associations += serializer.links.flatMap(\.branches)
            associations += (serializer.attributes ?? []).flatMap(\.ways)
        }
        var models: [ModelDescription] = publications.map(\.model)
        models += serializers.map(\.model)
        models += polls.map(\.model)
        for publication in publications {
            associations += publication.dependencies.flatMap(\.paths)
            associations += publication.observations.map(\.association)
            models += publication.observations.map(\.model)
        }
        for association in associations { models += [association.source, association.target] }
        var names: Set<String> = []
        return models.filter { names.insert($0.name).inserted }
    }

    static func value(
        of model: ModelDescription,
        _ polls: [PolledModel],
        _ associations: FileAssociations,
        _ unsaid: inout [String]
    ) -> JSON.Object {
        var value = JSON.Object()
        if model.table != Inflection().plural(of: Inflection.underscored(model.name)) {
            value["table"] = .string(model.table)
        }
        if model.primaryKey != "id" { value["key"] = .string(model.primaryKey) }
        if model.softDeleteColumn != ModelDescription(name: "", table: "").softDeleteColumn {
            value["soft_delete"] = .string(model.softDeleteColumn)
        }
        if let condition = model.updatesAfterSoftDelete {
            value["publish_after_soft_delete"] = [
                "column": .string(condition.column), "any_of": .array(condition.values.map(JSON.string)),
            ]
        } else if model.publishesUpdatesAfterSoftDelete {
            value["publish_after_soft_delete"] = true
        }
        if model.changeset != .minimal { value["changeset"] = .string(model.changeset.rawValue) }
        if model.captureMethod == .application { value["capture"] = .string(model.captureMethod.rawValue) }
        value["columns"] = .object(columns(of: model, &unsaid))
        value.members += associations.members(of: model)
        if !polls.isEmpty { value["polls"] = .array(polls.map { .object($0.fileValue) }) }
        return value
    }

    private static func columns(of model: ModelDescription, _ unsaid: inout [String]) -> JSON.Object {
        var value = JSON.Object()
        for column in (try? model.columns()) ?? [] {
            let optional = column.isOptional ? "?" : ""
            if let name = FileTypeName.name(of: column.kind) {
                value[column.name] = .string(name + optional)
                if ContractValue(of: column.type).values != nil {
                    unsaid.append(
                        "\(model): the values of the column \(column.name), which its Swift type lists in the contract"
                    )
                }
            } else {
                let name = column.kind == .float ? "double" : "json"
                unsaid.append(
                    "\(model): the column \(column.name), whose Swift type may be written otherwise than as \(name)"
                )
                value[column.name] = .string(name + optional)
            }
        }
        return value
    }
}

extension DeclaredSerializer.Attribute {
    /// Ways that are written by hand.
    fileprivate var ways: [AssociationDescription] { if case .sql(let sql) = self { sql.via } else { [] } }
}

extension PolledModel {
    fileprivate var fileValue: JSON.Object {
        var value = JSON.Object()
        switch method.kind {
        case .time(let column, let rereading, let fromNow):
            value = ["by": "time", "column": .string(column)]
            if rereading != .seconds(3_600) { value["rereading"] = .string(rereading.fileText) }
            if fromNow { value["from_now"] = true }
        case .state(let column, let published, let failed, let publishedAt):
            value = [
                "by": "state", "column": .string(column), "published": .string(published), "failed": .string(failed),
            ]
            value["published_at"] = publishedAt.map(JSON.string)
        case .fullTable(let deletions):
            value = ["by": "full_table"]
            if deletions { value["deletions"] = true }
        }
        if every != .seconds(60) { value["every"] = .string(every.fileText) }
        if delay != .seconds(2) { value["delay"] = .string(delay.fileText) }
        if name != PolledModel.defaultName(of: model, method) { value["name"] = .string(name) }
        return value
    }
}
