import Dionysus

/// Which model a message's record is of.
struct RecordModels: Sendable {
    private let models: [String]
    /// The model that the topic is named after, if it may have it.
    private let own: String?
    private let takesAny: Bool
    private let inflection: Inflection

    init(_ topic: ConsumerTopic, _ inflection: Inflection) {
        let models = ModelClaims.models(of: topic, inflection).sorted()
        let own = inflection.camelized(inflection.singular(of: topic.name))
        self.models = models
        self.own = models.contains(own) ? own : nil
        takesAny = topic.models.acceptsAny
        self.inflection = inflection
    }

    /// - Parameters:
    ///   - event: The event's name in the message's header.
    ///   - record: The whole name of the record in its schema, or of its key with `_key` behind it.
    /// - Throws: ``DionysusError`` with code `malformed` for a message that doesn't say it, in a topic with several models.
    func model(_ event: EventName?, _ record: String?) throws -> String {
        if let event {
            return models.first { inflection.underscored($0) == event.singular } ?? inflection.camelized(event.singular)
        }
        var name = record?.split(separator: ".").last.map(String.init)
        if let key = name, key.hasSuffix("_key") { name = String(key.dropLast(4)) }
        if let name, models.contains(name) || takesAny { return name }
        guard let only = models.count == 1 ? models[0] : own else {
            throw DionysusError(
                .malformed,
                "a message doesn't say which of the topic's models its record is of",
                advice: "declare the one model that the topic has (accepting:)"
            )
        }
        return only
    }
}
