/// The topics that a consumer's declaration names.
public struct ConsumedTopics: Sendable {
    /// The full names of those that are read, in the order of the declaration.
    public let names: [String]
    /// The full names of those that messages which fail are sent to.
    public let deadLetterNames: [String]

    /// Reads a declaration.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - settings: The settings, for the names' prefix.
    public init(_ consumer: some Consumer, settings: ConsumerSettings) {
        let plan = TopicPlan(consumer, settings: settings)
        names = plan.names
        deadLetterNames = plan.names.reduce(into: []) { found, name in
            guard case .deadLetter(let topic, _) = plan[name].failurePolicy, !found.contains(topic) else { return }
            found.append(topic)
        }
    }
}
