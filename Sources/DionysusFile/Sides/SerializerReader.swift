import Dionysus
import DionysusProducer

/// Reads the serializers of a namespace.
struct SerializerReader {
    /// A serializer, and the associations of its model that it links.
    struct Serializer {
        let declared: DeclaredSerializer
        let model: String
        let linked: [AssociationDescription]
    }

    let models: FileModels
    let faults: FileFaults

    func serializer(_ entry: FileNode.Entry) -> Serializer? {
        guard let model = models.model(entry.name, at: entry.place, faults) else { return nil }
        let links = links(entry.value["links"], of: model)
        return Serializer(
            declared: DeclaredSerializer(
                model.description,
                attributes: attributes(entry, of: model),
                links: links
            ),
            model: model.name,
            linked: links.flatMap(\.branches)
        )
    }

    private func attributes(_ entry: FileNode.Entry, of model: FileModel) -> [DeclaredSerializer.Attribute] {
        let (node, computed) = (entry.value["attributes"], entry.value["computed"]?.entries ?? [])
        var listed = (node?.items ?? [])
            .flatMap { item in
                item.text.map { [FileNode.Entry(name: $0, place: item.place, value: item)] } ?? item.entries
            }
        if node?.text == "all" {
            listed = (model.columns ?? []).map { FileNode.Entry(name: $0.name, place: entry.place, value: entry.value) }
        }
        var names: Set<String> = []
        return (listed + computed)
            .map { attribute in
                if !names.insert(attribute.name).inserted {
                    faults.add(attribute.place, "the attribute \(attribute.name.printable()) is listed twice")
                }
                return self.attribute(attribute, of: model)
            }
    }

    private func attribute(_ entry: FileNode.Entry, of model: FileModel) -> DeclaredSerializer.Attribute {
        let scale = entry.value["scale"]?.integer
        guard let sql = entry.value["sql"]?.text else {
            if !faults.touch(entry.value) { model.expect(entry.name, at: entry.place, faults) }
            return .column(entry.name, scale: scale)
        }
        let type = entry.value["type"].flatMap { DeclaredType($0, faults) }
        let via = (entry.value["via"]?.items ?? [])
            .compactMap { way in
                way.text.flatMap { models.path($0, from: model, at: way.place, faults) }
            }
        let reads = (entry.value["reading"]?.entries ?? [])
            .map { SQLAttribute.Read(table: $0.name, columns: $0.value.items.compactMap(\.text)) }
        return .sql(
            SQLAttribute(
                name: entry.name,
                expression: sql,
                type: type?.kind.type as? any (AttributeValue & Decodable).Type,
                scale: scale,
                isNullable: type?.isOptional ?? true,
                via: via,
                reads: reads
            )
        )
    }

    private func links(_ node: FileNode?, of model: FileModel) -> [DeclaredSerializer.Relationship] {
        let named = (node?.items ?? []).compactMap { item in item.text.map { (name: $0, place: item.place, to: $0) } }
        let renamed = (node?.entries ?? [])
            .compactMap { entry in entry.value.text.map { (name: entry.name, place: entry.value.place, to: $0) } }
        return (named + renamed)
            .compactMap { link in
                let isKind = link.to == "one" || link.to == "many"
                let name = isKind ? link.name : link.to
                guard let found = models.association(name, of: model.name, at: link.place, faults) else { return nil }
                if isKind, found.isToMany != (link.to == "many") {
                    faults.add(
                        link.place,
                        "\(name.printable()) leads to \(found.isToMany ? "many records" : "one record")"
                    )
                }
                return DeclaredSerializer.Relationship(
                    link.name,
                    found.branches,
                    isPolymorphic: found.isPolymorphic
                )
            }
    }
}
