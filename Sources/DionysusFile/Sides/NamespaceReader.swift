import Dionysus
import DionysusProducer
import DionysusSchemas

/// Reads the topics of a namespace.
struct NamespaceReader {
    let models: FileModels
    let faults: FileFaults
    let serializers: [SerializerReader.Serializer]
    /// Whether serializers have mistakes, so that a missing one may be one of them.
    private let areDamaged: Bool

    init(_ namespace: FileNode, _ models: FileModels, _ faults: FileFaults) {
        self.models = models
        self.faults = faults
        let node = namespace["serializers"]
        let reader = SerializerReader(models: models, faults: faults)
        serializers = (node?.entries ?? []).compactMap(reader.serializer)
        areDamaged = faults.touch(node) || faults.mayBe("serializers", in: namespace)
    }

    func topic(_ entry: FileNode.Entry) -> ProducerTopic {
        let node = entry.value
        return styled(node["messages"]?.flag == true ? messages(entry) : models(entry), node)
    }

    private func styled(_ topic: ProducerTopic, _ node: FileNode) -> ProducerTopic {
        let created = topic.created(with: TopicSettings(node), genesis: TopicSettings(node["genesis_settings"]))
        return node["wire"]?.text.flatMap(WireStyle.init).map(created.wire) ?? created
    }

    /// A topic of messages that are no model's.
    private func messages(_ entry: FileNode.Entry) -> ProducerTopic {
        for key in ["publish", "partition_key", "genesis", "wire"] {
            guard let place = entry.value[key]?.place else { continue }
            faults.add(place, "a topic of messages that are no model's has no key \(key)")
        }
        let topic = ProducerTopic(messages: entry.name, encoding: TopicEncoding(topic: entry.value))
        return entry.value["compacted_while_waiting"]?.flag == true ? topic.compactedWhileWaiting() : topic
    }

    private func models(_ entry: FileNode.Entry) -> ProducerTopic {
        let node = entry.value
        if node["publish"] == nil, !faults.touch(entry) {
            faults.add(entry.place, "a topic lacks publish, or messages: true")
        }
        if let place = node["compacted_while_waiting"]?.place {
            faults.add(place, "compacted_while_waiting is for topics of messages that are no model's")
        }
        return ProducerTopic(
            entry.name,
            encoding: TopicEncoding(topic: node),
            partitionKey: PartitionKey(node["partition_key"]) ?? .default,
            genesisReplica: node["genesis"]?.flag ?? false
        ) {
            publications(node["publish"])
        }
    }

    private func publications(_ node: FileNode?) -> [PublishedModel] {
        let named = (node?.items ?? [])
            .compactMap { item -> PublishedModel? in
                item.text.flatMap { publication($0, at: item.place, nil) }
            }
        return named
            + (node?.entries ?? []).compactMap { publication($0.name, at: $0.place, $0.value) }
    }

    private func publication(
        _ name: String,
        at place: Place,
        _ node: FileNode?
    ) -> PublishedModel? {
        guard let model = models.model(name, at: place, faults) else { return nil }
        expectSerializer(of: name, at: place)
        if let key = node?["partition_key"], let column = key.text, column != "message_key" {
            model.expect(column, at: key.place, faults)
        }
        return PublishedModel(
            model.description,
            with: dependencies(node?["with"], of: model.name),
            observing: (node?["observing"]?.items ?? []).compactMap { observation($0, of: model) },
            partitionKey: PartitionKey(node?["partition_key"]),
            publishesAfterCommit: node?["after_commit"]?.flag
        )
    }

    private func expectSerializer(of model: String, at place: Place) {
        guard !areDamaged, !serializers.contains(where: { $0.model == model }) else { return }
        faults.add(place, "\(model) has no serializer in this namespace")
    }

    private func dependencies(_ node: FileNode?, of model: String) -> [DependencyDescription] {
        let named = (node?.items ?? [])
            .flatMap { item -> [(String, Place, FileNode?)] in
                item.text.map { [($0, item.place, nil)] } ?? item.entries.map { ($0.name, $0.place, $0.value) }
            }
        return named.flatMap { name, place, parts -> [DependencyDescription] in
            guard let association = models.association(name, of: model, at: place, faults) else { return [] }
            let linked = serializers.filter { $0.model == model }.flatMap(\.linked)
            return association.branches.map { branch in
                if !linked.contains(branch), !areDamaged {
                    faults.add(
                        place,
                        "the serializer of \(model) doesn't link \(name.printable()), so it can't be sideloaded"
                    )
                } else {
                    expectSerializer(of: branch.target.name, at: place)
                }
                return DependencyDescription(branch, with: dependencies(parts, of: branch.target.name))
            }
        }
    }

    private func observation(_ node: FileNode, of model: FileModel) -> Observation? {
        guard let name = node["model"], let through = node["through"], let path = through.text,
            let observed = name.text.flatMap({ models.model($0, at: name.place, faults) }),
            let way = models.path(path, from: observed, at: through.place, faults)
        else { return nil }
        guard way.target == model.description else {
            faults.add(
                through.place,
                "\(path.printable()) leads from \(observed.name) to \(way.target), and not to \(model.name)"
            )
            return nil
        }
        let columns = (node["columns"]?.items ?? []).compactMap { item in item.text.map { ($0, item.place) } }
        for (column, place) in columns { observed.expect(column, at: place, faults) }
        return Observation(model: observed.description, columns: columns.map(\.0), association: way)
    }
}

extension PartitionKey {
    fileprivate init?(_ node: FileNode?) {
        guard let text = node?.text else { return nil }
        self = text == "message_key" ? .messageKey : .attribute(text)
    }
}

extension TopicSettings {
    fileprivate init(_ node: FileNode?) {
        self.init()
        partitions = node?["partitions"]?.integer
        replicationFactor = node?["replication_factor"]?.integer
        for setting in node?["settings"]?.entries ?? [] { values[setting.name] = setting.value.text }
        if let policy = node?["cleanup_policy"]?.text { cleanupPolicy = CleanupPolicy(rawValue: policy) }
        if let age = node?["retention"]?.text {
            retention = Duration(file: age)
            if age == "forever" { values["retention.ms"] = "-1" }
        }
    }
}
