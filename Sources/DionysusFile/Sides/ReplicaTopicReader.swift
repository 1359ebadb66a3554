import Dionysus
import DionysusApplication
import DionysusConsumer
import DionysusSchemas

/// Reads the topics of a namespace that is consumed.
struct ReplicaTopicReader {
    let faults: FileFaults

    func topics(_ node: FileNode?) -> [ConsumerTopic] {
        let named = (node?.items ?? []).compactMap { item in item.text.map { ConsumerTopic($0) } }
        return named + (node?.entries ?? []).map(topic)
    }

    private func topic(_ entry: FileNode.Entry) -> ConsumerTopic {
        let node = entry.value
        var topic = named(entry)
        if let identity = eventIdentity(node["event_log"]) { topic = topic.eventLog(identity: identity) }
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
        for (key, excludes) in [("only", false), ("except", true)] {
            for values in conditions(node[key]) {
                topic = topic.filtering(by: MessageFilter(AttributeCondition(values, excludes: excludes)))
            }
        }
        switch node["batches"]?.text.flatMap(TopicChoices.Batches.init) {
        case .latestUpdates: topic = topic.batchTransformation(.latestUpdates)
        case .latestOfKey: topic = topic.batchTransformation(.latestOfKey)
        case .whole: topic = topic.batchTransformation(nil)
        case nil: break
        }
        if let start = node["start"].flatMap(start) { topic = topic.starting(at: start) }
        if node["delete_on_tombstone"]?.flag == true { topic = topic.deletingOnTombstone() }
        if let lanes = node["lanes"]?.integer { topic = topic.lanes(lanes) }
        if node["verified"]?.flag == true { topic = topic.verified() }
        switch node["sharing"]?.text.flatMap(SharingChoice.init) {
        case .records: topic = topic.sharingRecords()
        case .messageKeys: topic = topic.sharingMessageKeys()
        case .code, nil: break
        }
        return topic
    }

    private func named(_ entry: FileNode.Entry) -> ConsumerTopic {
        let node = entry.value
        let encoding = TopicEncoding(topic: node)
        expectColumns(node, encoding)
        if node["messages"]?.flag == true {
            for key in ["named", "accept", "imports"] {
                guard let place = node[key]?.place else { continue }
                faults.add(place, "a topic of messages that are no model's has no key \(key)")
            }
            return ConsumerTopic(messages: entry.name, encoding: encoding)
        }
        let (models, imports) = (TopicModels(node["accept"]), node["imports"]?.flag ?? false)
        switch node["named"]?.text {
        case "in_full": return ConsumerTopic(named: entry.name, encoding: encoding, accepting: models)
        case "by_pattern":
            return ConsumerTopic(matching: entry.name, encoding: encoding, accepting: models, imports: imports)
        default: return ConsumerTopic(entry.name, encoding: encoding, accepting: models, imports: imports)
        }
    }

    private func expectColumns(_ topic: FileNode, _ encoding: TopicEncoding) {
        guard let rows = topic["rows"] else { return }
        guard encoding.debeziumRows != nil else {
            if !faults.touch(topic["encoding"]) { faults.add(rows.place, "rows are for the encoding debezium") }
            return
        }
        for column in rows["columns"]?.entries ?? [] {
            guard let name = column.value.text, DebeziumColumnType.type(named: name) == nil else { continue }
            let suggestion = NearMiss.suggestion(for: name, among: DebeziumColumnType.names)
            faults.add(
                column.value.place,
                "there is no type \(name.printable()) of Debezium's columns"
                    + (suggestion.isEmpty
                        ? "; the types are \(DebeziumColumnType.names.joined(separator: ", ")) and decimal(SCALE)"
                        : suggestion)
            )
        }
    }

    private func eventIdentity(_ node: FileNode?) -> EventIdentity? {
        guard let text = node?.text else { return nil }
        return EventIdentity(rawValue: text) ?? (text == "true" ? .position : nil)
    }

    private func start(_ node: FileNode) -> StartPosition? {
        switch node.text {
        case "earliest", nil: return .earliest
        case "latest": return .latest
        case .some(let text):
            if let time = Timestamp(text) { return .time(time) }
            faults.add(node.place, "must be earliest, latest, or a time such as 2026-05-01T00:00:00Z")
            return nil
        }
    }

    private func failurePolicy(_ node: FileNode?) -> FailedMessagePolicy? {
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

    private func conditions(_ node: FileNode?) -> [ColumnCondition] {
        (node?.entries ?? []).map { ColumnCondition($0.name, isAnyOf: $0.value.items.compactMap(\.text)) }
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
