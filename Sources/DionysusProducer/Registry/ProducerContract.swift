import Dionysus
package import DionysusSchemas

extension Registry {
    /// What is published, as a document: derived from the declaration alone.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` if a model's properties can't be found out.
    package var contract: Contract {
        get throws {
            let topics = Dictionary(grouping: publications, by: \.topic)
            return Contract(
                topics: try topics.map { name, publications in
                    let keys = Set(publications.map(\.partitionKey.contract))
                    // Where the models agree, it is the topic's.
                    let shared = keys.count == 1 ? keys.first : nil
                    return Contract.Topic(
                        name: name,
                        namespace: publications.first?.namespace,
                        encoding: publications.first?.encoding.name ?? TopicEncoding.envelope.name,
                        partitionKey: shared ?? .messageKey,
                        models: try publications.map { publication in
                            var model = try publication.contract(of: publication.model, parts: publication.aggregate)
                            if shared == nil { model.partitionKey = publication.partitionKey.contract }
                            model.events = publication.events.map(\.contract)
                            return model
                        }
                    )
                }
            )
        }
    }
}

extension PublishedEvent {
    fileprivate var contract: Contract.Event {
        let members = ModelColumn.members(of: type)
        let attributes = members?.map { Contract.Attribute(name: $0.name, value: ContractValue(of: $0, scale: nil)) }
        return Contract.Event(name: name, version: version, attributes: attributes)
    }
}

extension PublicationPartitionKey {
    fileprivate var contract: Contract.PartitioningKey {
        switch self {
        case .messageKey: .messageKey
        case .column(let name): .attribute(name)
        case .computed(let key): .computed(from: key.columns)
        }
    }
}

extension Registry.Publication {
    fileprivate func contract(of model: ModelDescription, parts: [DependencyDescription]) throws -> Contract.Model {
        let columns = try model.columns()
        let plan = plan(for: model)
        let key = columns.first { $0.name == model.primaryKey }.map { ContractValue(of: $0.type).type }
        return Contract.Model(
            name: model.name,
            key: Contract.Key(name: model.primaryKey, type: key ?? .string),
            attributes: plan.contractAttributes(columns),
            links: plan.contractLinks,
            parts: try contracts(of: parts)
        )
    }

    /// The models of parts, each once although several associations may lead to it.
    private func contracts(of parts: [DependencyDescription]) throws -> [Contract.Model] {
        try parts.reduce(into: []) { models, part in
            let target = part.association.target
            guard !models.contains(where: { $0.name == target.name }) else { return }
            let same = parts.filter { $0.association.target == target }
            models.append(try contract(of: target, parts: same.flatMap(\.dependencies)))
        }
    }
}

extension SerializerPlan {
    /// The attributes of any record's payload; those that only some of the records have are nullable.
    fileprivate func contractAttributes(_ columns: [ModelColumn]) -> [Contract.Attribute] {
        let lists = all.map { $0.ownAttributes(columns) }
        return lists.joined()
            .reduce(into: []) { attributes, attribute in
                guard !attributes.contains(where: { $0.name == attribute.name }) else { return }
                var attribute = attribute
                let found = lists.compactMap { list in list.first { $0.name == attribute.name } }
                if found.count < lists.count || found.contains(where: \.value.isNullable) {
                    attribute.value.isNullable = true
                }
                if !found.allSatisfy({ $0.value.type == attribute.value.type }) {
                    attribute.value = ContractValue(.json, isNullable: attribute.value.isNullable)
                }
                attributes.append(attribute)
            }
    }

    private func ownAttributes(_ columns: [ModelColumn]) -> [Contract.Attribute] {
        guard let attributes else {
            return columns.map { column in
                Contract.Attribute(name: column.name, value: ContractValue(of: column, scale: nil))
            }
        }
        return attributes.map { attribute in
            if let sql = attribute.sql {
                var value =
                    sql.type.map { ContractValue(of: $0, scale: sql.scale) } ?? ContractValue(.json, isNullable: true)
                value.isNullable = value.isNullable || sql.isNullable
                return Contract.Attribute(name: attribute.name, value: value)
            }
            if let type = attribute.computedType {
                return Contract.Attribute(
                    name: attribute.name,
                    value: ContractValue(of: type, scale: attribute.scale)
                )
            }
            // A property that the model lacks is a fault of the declaration; it is published as null.
            let value = columns.first { $0.name == attribute.name }
                .map { ContractValue(of: $0, scale: attribute.scale) }
            return Contract.Attribute(name: attribute.name, value: value ?? ContractValue(.json, isNullable: true))
        }
    }

    fileprivate var contractLinks: [Contract.Link] {
        allRelationships.reduce(into: []) { links, relationship in
            guard !links.contains(where: { $0.name == relationship.name }) else { return }
            links.append(
                Contract.Link(
                    name: relationship.name,
                    isToMany: relationship.isToMany,
                    models: relationship.branches.map(\.target.name).withoutRepetitions
                )
            )
        }
    }
}

extension ContractValue {
    fileprivate init(of column: ModelColumn, scale: Int?) {
        self.init(of: column.type, scale: scale)
        isNullable = isNullable || column.isOptional
    }
}
