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
    /// A primary key from its text.
    /// - Throws: ``DionysusError`` with code `malformed` for a text that no record can have as its key.
    func primaryKey(_ id: String, of model: ModelDescription) throws -> DatabaseValue {
        guard self[model.table] != nil else {
            throw DionysusError(.declaration, "there is no table \(model.table)", advice: "run validate")
        }
        let type = primaryKeyType(of: model)
        let key = DatabaseValue(primaryKey: id, type: type)
        switch (type, key) {
        case (.integer, .integer), (.uuid, .uuid): return key
        case (.integer, _), (.uuid, _):
            throw DionysusError(.malformed, "'\(id)' can't be a primary key of \(model.name), which is of type \(type)")
        default:
            guard !id.isEmpty else { throw DionysusError(.malformed, "the primary key of \(model.name) is empty") }
            return key
        }
    }
}
