import Dionysus
import DionysusApplication
public import DionysusConsumer
import DionysusSchemas

/// What a file declares to be consumed.
///
/// Code adds what a file can't say: to a topic by ``changing(_:in:_:)``, and beside it in a consumer of its own.
///
///     struct ShopMirror: Consumer {
///         let file: FileConsumer
///         var namespaces: [Namespace] { file.namespaces }
///         var models: Models { file.models }
///         func didConsume(_ event: ConsumedEvent) async throws { … }
///     }
public struct FileConsumer: Consumer {
    public private(set) var namespaces: [Namespace]
    public let models: Models

    /// Declares nothing.
    public init() {
        namespaces = []
        models = []
    }

    init(_ node: FileNode?, _ faults: FileFaults) {
        models = Self.models(node?["models"])
        namespaces = (node?["namespaces"]?.entries ?? [])
            .map { entry in
                ConsumerNamespace(entry.name) {
                    ReplicaTopicReader(faults: faults).topics(entry.value["topics"])
                } models: {
                    Self.models(entry.value["models"])
                }
            }
    }

    /// Changes a topic by code: handlers, filters, middleware.
    ///
    ///     file.consumer.changing("orders", in: "v2") { topic in
    ///         topic.handling { event, transaction in … }
    ///     }
    ///
    /// A topic that the file doesn't have is a fault of the declaration.
    /// - Parameters:
    ///   - topic: Its name as the file has it.
    ///   - namespace: The name of its namespace.
    ///   - change: Makes the new topic of the file's.
    public func changing(
        _ topic: String,
        in namespace: String,
        _ change: (ConsumerTopic) -> ConsumerTopic
    ) -> FileConsumer {
        var copy = self
        if let index = namespaces.firstIndex(where: { $0.name == namespace }) {
            copy.namespaces[index] = namespaces[index].changing(topic, change)
        } else {
            copy.namespaces.append(ConsumerNamespace(missing: namespace, for: topic))
        }
        return copy
    }

    // MARK: Models

    private static func models(_ node: FileNode?) -> [ReplicaModel] { (node?.entries ?? []).map(model) }

    private static func model(_ entry: FileNode.Entry) -> ReplicaModel {
        let node = entry.value
        if node["ignore"]?.flag == true { return .ignored(entry.name) }
        let table = node["table"]?.text ?? Inflection().plural(of: Inflection.underscored(entry.name))
        var model = Persist(entry.name, table: table)
        for attribute in node["rename"]?.entries ?? [] {
            if let column = attribute.value.text { model = model.renaming(attribute.name, to: column) }
        }
        if let keeps = node["soft_delete"]?.flag { model = keeps ? model.softDeleting() : model.deleting() }
        for column in node["read_only"]?.items ?? [] { if let name = column.text { model = model.readOnly(name) } }
        let names = (node["columns"]?.entries ?? [])
            .compactMap { entry in
                ReplicaColumn(rawValue: entry.name).flatMap { column in entry.value.text.map { (column, $0) } }
            }
        if !names.isEmpty {
            model = model.columns { columns in
                for (column, name) in names { columns[keyPath: column.path] = name }
            }
        }
        for name in node["replace"]?.items.compactMap(\.text) ?? [] { model = model.replacing(name) }
        for relationship in node["replace"]?.entries ?? [] {
            model = model.replacing(relationship.name, foreignKey: relationship.value["foreign_key"]?.text)
        }
        for relationship in node["join"]?.entries ?? [] {
            guard let table = relationship.value["table"]?.text, let parent = relationship.value["parent"]?.text,
                let member = relationship.value["member"]?.text
            else { continue }
            model = model.linking(relationship.name, through: table, parent: parent, member: member)
        }
        return model.element
    }
}
