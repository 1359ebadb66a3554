import Dionysus
import DionysusSchemas

/// What can be wrong with topics, independently of the database.
enum TopicFaults {
    /// Everything that is wrong, a line each.
    static func all(in namespaces: [ProducerNamespace], prefix: String) -> [String] {
        var faults: [String] = []
        var owners: [String: String] = [:]
        for namespace in namespaces {
            faults += namespace.faults.map { "namespace \(namespace.name): \($0)" }
            for topic in namespace.topics {
                let name = topic.fullName(in: namespace, prefix: prefix)
                let place = "namespace \(namespace.name), topic \(topic.name)"
                for name in topic.genesisReplica ? [name, name + "_genesis"] : [name] {
                    if !isValid(name) {
                        faults.append(
                            "\(place): \(name) is no name for a topic: Kafka takes 1 to 249 letters, digits, '.', '_' and '-'"
                        )
                    }
                    if let owner = owners[name] {
                        faults.append("\(place): \(owner) is also called \(name)")
                    } else {
                        owners[name] = place
                    }
                }
                faults += encodingFaults(of: topic, place)
                let models = topic.publications.map(\.model)
                for (index, model) in models.enumerated()
                where models[..<index].contains(where: { $0.name == model.name }) {
                    faults.append("\(place): it publishes \(model) twice")
                }
            }
        }
        return faults.withoutRepetitions
    }

    /// What an encoding can't be, whatever the records are.
    private static func encodingFaults(of topic: ProducerTopic, _ place: String) -> [String] {
        var faults: [String] = []
        if case .auto = topic.encoding.shape {
            faults.append("\(place): a producer has to say which encoding it writes; .auto is for consumers")
        }
        if topic.encoding.debeziumRows != nil {
            faults.append("\(place): .debezium is for consumers, which read what Debezium writes")
        }
        guard let format = topic.encoding.format else { return faults }
        if topic.encoding.holdsEnvelopes, topic.publications.isEmpty {
            faults.append(
                "\(place): messages that are no model's are no events: let the encoding be .record(…)"
            )
        }
        if format.key == .none, !topic.encoding.marksDeletions, !topic.encoding.holdsEnvelopes,
            !topic.publications.isEmpty
        {
            faults.append(
                "\(place): without keys nothing tells which record a message without a value ends: mark deletions, or give keys"
            )
        }
        let collides = topic.publications.count > 1 && format.key != .none && format.key != .message
        if collides {
            faults.append(
                "\(place): keys of several models would be the same: let keys be .message, or publish one model"
            )
        }
        let isAvro = if case .avro = format.language { true } else { false }
        if !isAvro, [.singleObject, .container].contains(format.framing) {
            faults.append("\(place): only Avro has single objects and containers")
        }
        return faults
    }

    private static func isValid(_ name: String) -> Bool {
        let isAllowed = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return (1...249).contains(name.utf8.count) && name != "." && name != ".." && name.utf8.allSatisfy(isAllowed)
    }
}

extension ProducerTopic {
    func fullName(in namespace: ProducerNamespace, prefix: String) -> String { "\(prefix)\(namespace.name)_\(name)" }
}
