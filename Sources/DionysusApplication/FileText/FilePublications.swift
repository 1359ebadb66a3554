import Dionysus
import DionysusProducer

/// The parts of a file that say what is published.
struct FilePublications {
    private(set) var source: JSON.Object = [:]
    private(set) var models: JSON.Object = [:]
    private(set) var namespaces: JSON.Object = [:]
    private var associations: FileAssociations

    init(_ producer: some Producer, _ unsaid: inout [String]) {
        let (declared, polls) = (producer.namespaces, producer.polls)
        let all = FileModels.all(in: declared, polls)
        associations = FileAssociations(all)
        for namespace in declared {
            // A file has a namespace once, because its names are keys.
            if namespaces[namespace.name] == nil {
                namespaces[namespace.name] = .object(value(of: namespace, &unsaid))
            } else {
                unsaid.append("a second namespace \(namespace.name), whose topics a file has in the first")
            }
        }
        for model in all {
            models[model.name] = .object(
                FileModels.value(of: model, polls.filter { $0.model == model }, associations, &unsaid)
            )
        }
        let outboxes = producer.debeziumOutboxes.map { JSON.object($0.fileValue) }
        if !outboxes.isEmpty { source["debezium_outboxes"] = .array(outboxes) }
        if !producer.middleware.isEmpty { unsaid.append("the producer's middleware") }
        if !producer.genesisStreamers.isEmpty { unsaid.append("streamers of genesis runs") }
    }

    private mutating func value(of namespace: ProducerNamespace, _ unsaid: inout [String]) -> JSON.Object {
        var value: JSON.Object = [:]
        var serializers: JSON.Object = [:]
        for outline in namespace.serializers.outlines {
            let place = "\(namespace.name), serializer of \(outline.model)"
            unsaid += outline.unsaid.map { "\(place): \($0)" }
            serializers[outline.model.name] = .object(serializer(outline, place, &unsaid))
        }
        if !serializers.members.isEmpty { value["serializers"] = .object(serializers) }
        var topics: JSON.Object = [:]
        for topic in namespace.topics {
            let place = "\(namespace.name), topic \(topic.name)"
            var found: [String] = []
            topics[topic.name] = .object(self.topic(topic, &found))
            unsaid += found.map { "\(place): \($0)" }
        }
        if !topics.members.isEmpty { value["topics"] = .object(topics) }
        return value
    }

    // MARK: Serializers

    private mutating func serializer(
        _ outline: SerializerOutline,
        _ place: String,
        _ unsaid: inout [String]
    ) -> JSON.Object {
        var value: JSON.Object = ["attributes": "all"]
        if let attributes = outline.attributes {
            value["attributes"] = .array(attributes.compactMap { attribute($0, place, &unsaid) })
        }
        var links: [(name: String, association: String)] = []
        for link in outline.links {
            if let name = associations.add(link.branches, preferring: link.name) {
                links.append((link.name, name))
            } else {
                unsaid.append("\(place): the link \(link.name), whose way leads through tables without models")
            }
        }
        if !links.isEmpty {
            let areNamedAlike = links.allSatisfy { $0.name == $0.association }
            value["links"] =
                areNamedAlike
                ? .array(links.map { .string($0.name) })
                : .object(.init(links.map { .init($0.name, .string($0.association)) }))
        }
        return value
    }

    private mutating func attribute(
        _ attribute: DeclaredSerializer.Attribute,
        _ place: String,
        _ unsaid: inout [String]
    ) -> JSON? {
        switch attribute {
        case .column(let name, nil): return .string(name)
        case .column(let name, let scale?): return .object([name: ["scale": .integer(Int64(scale))]])
        case .computed: return nil
        case .sql(let sql):
            var value: JSON.Object = ["sql": .string(sql.expression)]
            if let type = sql.type {
                value["type"] = .string(FileTypeName.text(ValueKind(of: type), isOptional: sql.isNullable))
            }
            value["scale"] = sql.scale.map { .integer(Int64($0)) }
            let via = sql.via.compactMap { associations.path($0) }
            if via.count < sql.via.count { unsaid.append("\(place): a way of the attribute \(sql.name)") }
            if !via.isEmpty { value["via"] = .array(via.map(JSON.string)) }
            if !sql.reads.isEmpty {
                value["reading"] = .object(
                    .init(sql.reads.map { .init($0.table, .array($0.columns.map(JSON.string))) })
                )
            }
            return .object([sql.name: .object(value)])
        }
    }

    // MARK: Topics

    private mutating func topic(_ topic: ProducerTopic, _ unsaid: inout [String]) -> JSON.Object {
        var value = JSON.Object()
        let isOfMessages = topic.publications.isEmpty
        if isOfMessages { value["messages"] = true }
        if topic.isCompactedWhileWaiting { value["compacted_while_waiting"] = true }
        if !isOfMessages {
            value["partition_key"] = topic.partitionKey.name.map(JSON.string)
            if topic.partitionKey.isComputed { unsaid.append("its partition key, which code computes") }
        }
        value.members += topic.encoding.fileMembers(ofMessages: isOfMessages, &unsaid)
        if topic.genesisReplica { value["genesis"] = true }
        value["wire"] = topic.wire.map { .string($0.rawValue) }
        value.members += topic.settings.fileMembers
        let genesis = topic.genesisSettings.without(ProducerTopic.genesisDefaults).fileMembers
        if !genesis.isEmpty { value["genesis_settings"] = .object(.init(genesis)) }
        guard !isOfMessages else { return value }
        let published = topic.publications.map { ($0.model.name, publication($0, &unsaid)) }
        value["publish"] =
            published.allSatisfy { $0.1.members.isEmpty }
            ? .array(published.map { .string($0.0) }) : .object(.init(published.map { .init($0.0, .object($0.1)) }))
        return value
    }

    private mutating func publication(_ published: PublishedModel, _ unsaid: inout [String]) -> JSON.Object {
        let place = "the publication of \(published.model)"
        var value = JSON.Object()
        let parts = parts(published.dependencies, place, &unsaid)
        if !parts.isEmpty { value["with"] = .array(parts) }
        var observations: [JSON] = []
        for observation in published.observations {
            guard let path = associations.path(observation.association) else {
                unsaid.append("\(place): it observes \(observation.model) through tables without models")
                continue
            }
            observations.append([
                "model": .string(observation.model.name), "columns": .array(observation.columns.map(JSON.string)),
                "through": .string(path),
            ])
        }
        if !observations.isEmpty { value["observing"] = .array(observations) }
        value["partition_key"] = published.partitionKey?.name.map(JSON.string)
        if published.partitionKey?.isComputed == true {
            unsaid.append("\(place): its partition key, which code computes")
        }
        value["after_commit"] = published.publishesAfterCommit.map(JSON.bool)
        if !published.events.isEmpty { unsaid.append("\(place): the types of its events") }
        return value
    }

    /// What is published with a model: the ways of a polymorphic association are one.
    private func parts(
        _ dependencies: [DependencyDescription],
        _ place: String,
        _ unsaid: inout [String]
    ) -> [JSON] {
        var (parts, names) = ([JSON](), Set<String>())
        for dependency in dependencies {
            guard let (name, branches) = associations.name(of: dependency.association) else {
                unsaid.append("\(place): what comes along by \(dependency.association)")
                continue
            }
            guard names.insert(name).inserted else { continue }
            let inner = self.parts(dependency.dependencies, place, &unsaid)
            if branches.count > 1,
                dependencies.contains(where: { branches.contains($0.association) && !$0.dependencies.isEmpty })
            {
                unsaid.append("\(place): what comes along with the records of \(name)")
                parts.append(.string(name))
            } else {
                parts.append(inner.isEmpty ? .string(name) : .object([name: .array(inner)]))
            }
        }
        return parts
    }
}

extension TopicSettings {
    /// The keys of a topic that say what it is created with.
    fileprivate var fileMembers: [JSON.Object.Member] {
        var value = JSON.Object()
        value["partitions"] = partitions.map { .integer(Int64($0)) }
        value["replication_factor"] = replicationFactor.map { .integer(Int64($0)) }
        value["cleanup_policy"] = cleanupPolicy.map { .string($0.rawValue) }
        value["retention"] = values["retention.ms"] == "-1" ? "forever" : retention.map { .string($0.fileText) }
        let others = values.filter { name, _ in
            name == "cleanup.policy" ? cleanupPolicy == nil : name == "retention.ms" ? value["retention"] == nil : true
        }
        if !others.isEmpty {
            value["settings"] = .object(
                .init(others.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
            )
        }
        return value.members
    }

    /// What differs from other settings.
    fileprivate func without(_ others: TopicSettings) -> TopicSettings {
        var copy = self
        if partitions == others.partitions { copy.partitions = nil }
        if replicationFactor == others.replicationFactor { copy.replicationFactor = nil }
        copy.values = values.filter { others.values[$0.key] != $0.value }
        return copy
    }
}

extension DebeziumOutbox {
    fileprivate var fileValue: JSON.Object {
        let standard = DebeziumOutbox()
        var value: JSON.Object = ["table": .string(table)]
        if topic != standard.topic { value["topic"] = .string(topic) }
        let names = DebeziumColumnName.allCases.filter {
            columns[keyPath: $0.path] != standard.columns[keyPath: $0.path]
        }
        if !names.isEmpty {
            value["columns"] = .object(.init(names.map { .init($0.rawValue, .string(columns[keyPath: $0.path])) }))
        }
        if !headers.isEmpty {
            value["headers"] = .object(
                .init(headers.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
            )
        }
        return value
    }
}
