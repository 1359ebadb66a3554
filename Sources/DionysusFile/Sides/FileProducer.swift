import Dionysus
import DionysusApplication
public import DionysusProducer
import DionysusSchemas

/// What a file declares to be published.
///
/// Code adds what a file can't say: attributes by ``computing(_:of:in:scale:value:)``, and middleware or topics beside the
/// file's in a producer of its own.
///
///     struct ShopSync: Producer {
///         let file: FileProducer
///         var namespaces: [Namespace] { file.namespaces }
///         var polls: [PolledModel] { file.polls }
///         var debeziumOutboxes: [DebeziumOutbox] { file.debeziumOutboxes }
///         var middleware: [any ProducerMiddleware] { [Patient()] }
///     }
public struct FileProducer: Producer {
    private var declared: [FileNamespace]
    public let polls: [PolledModel]
    public let debeziumOutboxes: [DebeziumOutbox]

    /// Declares nothing.
    public init() {
        declared = []
        polls = []
        debeziumOutboxes = []
    }

    public var namespaces: [ProducerNamespace] { return declared.map(\.namespace) }

    init(_ root: FileNode?, _ models: FileModels, _ faults: FileFaults) {
        declared = (root?["namespaces"]?.entries ?? [])
            .map { entry in
                let reader = NamespaceReader(entry.value, models, faults)
                return FileNamespace(
                    name: entry.name,
                    serializers: reader.serializers.map(\.declared),
                    topics: (entry.value["topics"]?.entries ?? []).map(reader.topic)
                )
            }
        polls = PollReader(faults: faults).polls(root, models.models)
        debeziumOutboxes = (root?["source"]?["debezium_outboxes"]?.items ?? []).map(DebeziumOutbox.init)
    }

    /// Adds an attribute that code computes from a record's row to the payloads of a model.
    ///
    ///     file.producer.computing("label", of: "Order") { order in
    ///         try order.value("title", as: String.self).uppercased()
    ///     }
    ///
    /// It takes the place of an attribute of its name, or comes after the others. A model without a serializer in the file is
    /// a fault of the declaration.
    /// - Parameters:
    ///   - attribute: Its name on the wire.
    ///   - model: The model's name.
    ///   - namespace: The name of a namespace; nil for all in which the model has a serializer.
    ///   - scale: For a decimal number: how many digits are behind the point on the wire.
    ///   - value: The computation. What it throws makes the record's publication fail, to be tried again.
    public func computing<Value: AttributeValue>(
        _ attribute: String,
        of model: String,
        in namespace: String? = nil,
        scale: Int? = nil,
        value: @escaping @Sendable (DeclaredRecord) throws -> Value
    ) -> FileProducer {
        let computed = DeclaredSerializer.Attribute.computed(attribute, scale: scale, type: Value.self) {
            try value($0)
        }
        var copy = self
        let places = declared.indices.filter { place in
            (namespace ?? declared[place].name) == declared[place].name
                && declared[place].serializers.contains { $0.model.name == model }
        }
        for place in places {
            copy.declared[place].serializers = declared[place].serializers
                .map { $0.model.name == model ? $0.adding(computed) : $0 }
        }
        if places.isEmpty {
            var missing = FileNamespace(name: namespace ?? "any", serializers: [], topics: [])
            missing.faults = ["there is no serializer of \(model), to which code adds the attribute \(attribute)"]
            copy.declared.append(missing)
        }
        return copy
    }
}

/// A namespace, with its serializers as they can be added to.
private struct FileNamespace: Sendable {
    let name: String
    var serializers: [DeclaredSerializer]
    let topics: [ProducerTopic]
    var faults: [String] = []

    var namespace: ProducerNamespace {
        var namespace = ProducerNamespace(name, serializers: Serializers(declared: serializers)) { topics }
        namespace.faults = faults
        return namespace
    }
}

extension DebeziumOutbox {
    fileprivate init(_ node: FileNode) {
        let standard = DebeziumOutbox()
        self.init(node["table"]?.text ?? standard.table, topic: node["topic"]?.text ?? standard.topic)
        for column in node["columns"]?.entries ?? [] {
            guard let name = DebeziumColumnName(rawValue: column.name), let text = column.value.text else { continue }
            columns[keyPath: name.path] = text
        }
        for header in node["headers"]?.entries ?? [] { headers[header.name] = header.value.text }
    }
}
