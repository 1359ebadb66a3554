import Dionysus
import DionysusConsumer

/// The part of a file that says what is consumed.
enum FileReplica {
    static func value(_ consumer: some Consumer, _ unsaid: inout [String]) -> JSON.Object {
        var value = JSON.Object()
        var namespaces = JSON.Object()
        for namespace in consumer.namespaces {
            if namespaces[namespace.name] == nil {
                namespaces[namespace.name] = .object(self.namespace(namespace, &unsaid))
            } else {
                unsaid.append("a second namespace \(namespace.name), whose topics a file has in the first")
            }
        }
        if !namespaces.members.isEmpty { value["namespaces"] = .object(namespaces) }
        let models = replicas(consumer.models, &unsaid)
        if !models.members.isEmpty { value["models"] = .object(models) }
        if !consumer.filters.isEmpty { unsaid.append("the consumer's filters") }
        if !consumer.middleware.isEmpty { unsaid.append("the consumer's middleware") }
        return value
    }

    private static func namespace(_ namespace: ConsumerNamespace, _ unsaid: inout [String]) -> JSON.Object {
        var value = JSON.Object()
        let topics = namespace.topics.map { TopicChoices($0) }
        for topic in topics {
            unsaid += topic.unsaid.map { "\(namespace.name), consumed topic \(topic.name): \($0)" }
        }
        let values = topics.map { topic in
            JSON.Object.Member(topic.name, .object(.init(topic.fileMembers(&unsaid))))
        }
        value["topics"] =
            values.allSatisfy { $0.value == .object([:]) }
            ? .array(values.map { .string($0.name) }) : .object(.init(values))
        let models = replicas(namespace.models, &unsaid)
        if !models.members.isEmpty { value["models"] = .object(models) }
        return value
    }

    private static func replicas(_ models: [ReplicaModel], _ unsaid: inout [String]) -> JSON.Object {
        var value = JSON.Object()
        for model in models {
            let choices = ReplicaChoices(model)
            unsaid += choices.unsaid.map { "replica of \(choices.model): \($0)" }
            if let members = choices.fileMembers { value[choices.model] = .object(.init(members)) }
        }
        return value
    }
}

extension TopicChoices {
    fileprivate func fileMembers(_ unsaid: inout [String]) -> [JSON.Object.Member] {
        var value = JSON.Object()
        switch naming {
        case .inNamespace: break
        case .full: value["named"] = "in_full"
        case .pattern: value["named"] = "by_pattern"
        }
        if holdsMessages {
            value["messages"] = true
        } else {
            switch accepted {
            case .any: value["accept"] = "any"
            case .unclaimed: break
            case .models(let names): value["accept"] = .array(names.map(JSON.string))
            }
        }
        if imports { value["imports"] = true }
        value.members += encoding.fileMembers(ofMessages: holdsMessages, &unsaid)
        switch eventIdentity {
        case nil: break
        case .position: value["event_log"] = true
        case .checksum: value["event_log"] = "checksum"
        }
        if isVerified { value["verified"] = true }
        switch failurePolicy {
        case .record(laterMessages: .pass): break
        case .record(laterMessages: .wait): value["on_failure"] = "record_and_wait"
        case .deadLetter(let topic, let retries):
            value["on_failure"] = ["dead_letter": .string(topic), "max_retries": .integer(Int64(retries))]
        case .skip: value["on_failure"] = "skip"
        case .stop: value["on_failure"] = "stop"
        }
        if let retry {
            value["retry"] = [
                "max_retries": .integer(Int64(retry.maxRetries)), "initial": .string(retry.initial.fileText),
                "maximum": .string(retry.maximum.fileText),
            ]
        }
        for (key, excludes) in [("only", false), ("except", true)] {
            let own = conditions.filter { $0.excludes == excludes }.map(\.values)
            guard !own.isEmpty else { continue }
            value[key] = .object(.init(own.map { .init($0.column, .array($0.values.map(JSON.string))) }))
        }
        let usual: Batches = holdsMessages ? .whole : .latestUpdates
        if let batches, batches != usual { value["batches"] = .string(batches.rawValue) }
        switch start {
        case .earliest: break
        case .latest: value["start"] = "latest"
        case .time(let time): value["start"] = .string(time.description)
        case .offset: unsaid.append("topic \(name): the offset at which it begins")
        }
        if tombstonesDelete { value["delete_on_tombstone"] = true }
        if let sharing, sharing != .code { value["sharing"] = .string(sharing.rawValue) }
        if lanes != 1 { value["lanes"] = .integer(Int64(lanes)) }
        return value.members
    }
}

extension ReplicaChoices {
    /// Nil for a model that is kept as the convention says in any case.
    fileprivate var fileMembers: [JSON.Object.Member]? {
        guard !isConventional else { return nil }
        guard let table else { return [.init("ignore", true)] }
        var value = JSON.Object()
        if table != Inflection().plural(of: Inflection.underscored(model)) { value["table"] = .string(table) }
        if !renamings.isEmpty {
            value["rename"] = .object(
                .init(renamings.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
            )
        }
        value["soft_delete"] = softDeletes.map(JSON.bool)
        if !readOnly.isEmpty { value["read_only"] = .array(readOnly.map(JSON.string)) }
        let standard = ReplicaColumnNames()
        let names = columns.map { names in
            ReplicaColumn.allCases.filter { names[keyPath: $0.path] != standard[keyPath: $0.path] }
                .map { JSON.Object.Member($0.rawValue, .string(names[keyPath: $0.path])) }
        }
        if let names, !names.isEmpty { value["columns"] = .object(.init(names)) }
        if !replaced.isEmpty {
            let usual = "synced_\(Inflection.underscored(model))_id"
            let members = replaced.sorted { $0.key < $1.key }
            value["replace"] =
                members.allSatisfy { $0.value == usual }
                ? .array(members.map { .string($0.key) })
                : .object(.init(members.map { .init($0.key, ["foreign_key": .string($0.value)]) }))
        }
        if !joined.isEmpty {
            value["join"] = .object(
                .init(
                    joined.sorted { $0.key < $1.key }
                        .map { name, join in
                            .init(
                                name,
                                [
                                    "table": .string(join.table), "parent": .string(join.parent),
                                    "member": .string(join.member),
                                ]
                            )
                        }
                )
            )
        }
        return value.members
    }
}
