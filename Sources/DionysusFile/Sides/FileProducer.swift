import Dionysus
public import DionysusProducer
import DionysusSchemas

/// What a file declares to be published.
public struct FileProducer: Producer {
    public let namespaces: [Namespace]

    /// Declares nothing.
    package init() { namespaces = [] }

    init(_ root: FileNode?, _ models: FileModels, _ faults: FileFaults) throws {
        namespaces = try (root?["namespaces"]?.entries ?? [])
            .map { entry in
                let reader = NamespaceReader(entry.value, models, faults)
                return ProducerNamespace(
                    entry.name,
                    serializers: try Serializers(declared: reader.serializers.map(\.declared))
                ) {
                    (entry.value["topics"]?.entries ?? []).map(reader.topic)
                }
            }
    }
}

/// Reads the topics of a namespace.
private struct NamespaceReader {
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
        if node["encoding"]?.text == "auto", let place = node["encoding"]?.place {
            faults.add(place, "auto is for topics that are read; a topic that is written has one encoding")
        }
        let topic = ProducerTopic(
            entry.name,
            encoding: TopicEncoding(node["encoding"]),
            partitionKey: PartitionKey(node["partition_key"]) ?? .default,
            genesisReplica: node["genesis"]?.flag ?? false
        ) {
            publications(node["publish"])
        }
        .created(with: TopicSettings(node), genesis: TopicSettings(node["genesis_settings"]))
        return node["wire"]?.text.flatMap(WireStyle.init).map(topic.wire) ?? topic
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
