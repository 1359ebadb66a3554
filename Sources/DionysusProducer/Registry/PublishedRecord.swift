import Dionysus

extension Registry {
    /// A model that a topic publishes for its own sake.
    /// - Throws: ``DionysusError`` with code `notFound`, which says what there is.
    func publishing(_ modelName: String, in topic: String) throws -> Publication {
        if let publication = publication(topic: topic, modelName: modelName) { return publication }
        let topics = Set(publications.map(\.topic)).sorted()
        guard topics.contains(topic) else {
            throw DionysusError(
                .notFound,
                "there is no declared topic \(topic)",
                advice: topics.isEmpty ? nil : "the topics are \(topics.joined(separator: ", "))"
            )
        }
        let parents = parents(ofDependency: modelName, in: topic)
        let models = publications.filter { $0.topic == topic }.map(\.model.name).sorted()
        throw DionysusError(
            .notFound,
            parents.isEmpty
                ? "topic \(topic) does not publish a model \(modelName)"
                : "topic \(topic) publishes \(modelName) only as a part of \(parents.joined(separator: " and "))",
            advice: "its models are \(models.joined(separator: ", "))"
        )
    }
}

extension Catalogue {
    /// How a model's records are distinguished, for a text that names one of them.
    /// - Throws: ``DionysusError`` with code `malformed` for a text that no record can have as its key.
    func recordKey(_ id: String, of model: ModelDescription) throws -> RecordKey {
        guard self[model.table] != nil else {
            throw DionysusError(.declaration, "there is no table \(model.table)", advice: "run validate")
        }
        let key = RecordKey(of: model, self)
        guard key.accepts(id) else {
            throw DionysusError(
                .malformed,
                id.isEmpty && key.type == .text
                    ? "the primary key of \(model.name) is empty"
                    : "'\(id)' can't be a primary key of \(model.name), which is of type \(key.name)"
            )
        }
        return key
    }
}

extension Registry {
    /// - Throws: ``DionysusError`` with code `notFound` if there is none of the name.
    func genesisStreamer(named name: String) throws -> any GenesisStreamer {
        if let streamer = genesisStreamers[name] { return streamer }
        let names = genesisStreamers.keys.sorted().joined(separator: ", ")
        throw DionysusError(
            .notFound,
            "the declaration has no genesis streamer \(name)",
            advice: names.isEmpty ? "add it to the producer's genesisStreamers" : "it has \(names)"
        )
    }
}
