import Dionysus

/// What can be wrong with topics, independently of the database.
enum TopicFaults {
    /// Everything that is wrong, a line each.
    static func all(in namespaces: [ProducerNamespace], prefix: String) -> [String] {
        var faults: [String] = []
        var owners: [String: String] = [:]
        for namespace in namespaces {
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
                let models = topic.publications.map(\.model)
                for (index, model) in models.enumerated()
                where models[..<index].contains(where: { $0.name == model.name }) {
                    faults.append("\(place): it publishes \(model) twice")
                }
            }
        }
        return faults.withoutRepetitions
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
