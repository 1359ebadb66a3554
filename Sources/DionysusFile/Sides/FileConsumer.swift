import Dionysus
public import DionysusConsumer
import DionysusSchemas

/// What a file declares to be consumed.
public struct FileConsumer: Consumer {
    public let namespaces: [Namespace]
    public let models: Models

    /// Declares nothing.
    package init() {
        namespaces = []
        models = []
    }

    init(_ node: FileNode?, _ faults: FileFaults) {
        models = Self.models(node?["models"])
        namespaces = (node?["namespaces"]?.entries ?? [])
            .map { entry in
                ConsumerNamespace(entry.name) {
                    Self.topics(entry.value["topics"])
                } models: {
                    Self.models(entry.value["models"])
                }
            }
    }

    private static func topics(_ node: FileNode?) -> [ConsumerTopic] {
        let named = (node?.items ?? []).compactMap { item in item.text.map { ConsumerTopic($0) } }
        return named + (node?.entries ?? []).map(topic)
    }

    private static func topic(_ entry: FileNode.Entry) -> ConsumerTopic {
        let node = entry.value
        var topic = ConsumerTopic(
            entry.name,
            encoding: TopicEncoding(node["encoding"]),
            accepting: TopicModels(node["accept"])
        )
        if node["event_log"]?.flag == true { topic = topic.eventLog() }
        topic = failurePolicy(node["on_failure"]).map(topic.onFailure) ?? topic
        if let retry = node["retry"], let retries = retry["max_retries"]?.integer {
            topic = topic.retrying(
                .exponential(
                    maxRetries: retries,
                    initial: retry["initial"]?.text.flatMap { Duration(file: $0) } ?? .milliseconds(100),
                    maximum: retry["maximum"]?.text.flatMap { Duration(file: $0) } ?? .seconds(10)
                )
            )
        }
        for condition in conditions(node["only"]) {
            topic = topic.accepting(otherwise: "its \(condition.column) is none that the file asks for") { event in
                condition.holds(for: event.data[condition.column])
            }
        }
        for condition in conditions(node["except"]) {
            topic = topic.accepting(otherwise: "its \(condition.column) is one that the file leaves out") { event in
                !condition.holds(for: event.data[condition.column])
            }
        }
        if node["batches"]?.text == "whole" { topic = topic.batchTransformation(nil) }
        if node["start"]?.text == "latest" { topic = topic.starting(at: .latest) }
        if node["delete_on_tombstone"]?.flag == true { topic = topic.deletingOnTombstone() }
        if let lanes = node["lanes"]?.integer { topic = topic.lanes(lanes) }
        return topic
    }

    private static func failurePolicy(_ node: FileNode?) -> FailedMessagePolicy? {
        if let topic = node?["dead_letter"]?.text {
            return .deadLetter(topic: topic, maxRetries: node?["max_retries"]?.integer ?? 2)
        }
        return switch node?.text {
        case "record": .record(laterMessages: .pass)
        case "record_and_wait": .record(laterMessages: .wait)
        case "skip": .skip
        case "stop": .stop
        default: nil
        }
    }

    private static func conditions(_ node: FileNode?) -> [ColumnCondition] {
        (node?.entries ?? []).map { ColumnCondition($0.name, isAnyOf: $0.value.items.compactMap(\.text)) }
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
                for (column, name) in names { column.rename(to: name, in: &columns) }
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

extension TopicModels {
    fileprivate init(_ node: FileNode?) {
        switch node?.text {
        case "any": self = .any
        case nil where node != nil: self = .models(node?.items.compactMap(\.text) ?? [])
        default: self = .unclaimed
        }
    }
}
