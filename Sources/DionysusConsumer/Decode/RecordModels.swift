import Dionysus

/// Which model a message's record is of.
struct RecordModels: Sendable {
    private let models: [String]
    private let takesAny: Bool
    private let inflection: Inflection

    init(_ topic: ConsumerTopic, _ inflection: Inflection) {
        models = ModelClaims.models(of: topic, inflection).sorted()
        takesAny = topic.models.acceptsAny
        self.inflection = inflection
    }

    /// - Parameters:
    ///   - event: The event's name in the message's header.
    ///   - record: The whole name of the record in its schema.
    /// - Throws: ``DionysusError`` with code `malformed` for a message that doesn't say it, in a topic with several models.
    func model(_ event: EventName?, _ record: String?) throws -> String {
        if let event {
            return models.first { inflection.underscored($0) == event.singular } ?? inflection.camelized(event.singular)
        }
        let name = record?.split(separator: ".").last.map(String.init)
        if let name, models.contains(name) || takesAny { return name }
        guard models.count == 1 else {
            throw DionysusError(
                .malformed,
                "a message doesn't say which of the topic's models its record is of",
                advice: "declare the one model that the topic has (accepting:)"
            )
        }
        return models[0]
    }
}
