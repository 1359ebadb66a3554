public import Dionysus

/// The topics that a consumer's declaration names.
public struct ConsumedTopics: Sendable {
    /// The full names of those that are read, in the order of the declaration, without those that only a pattern
    /// matches.
    public let names: [String]
    /// The full names of those that messages which fail are sent to.
    public let deadLetterNames: [String]
    private let plan: TopicPlan

    /// Reads a declaration.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - settings: The settings, for the names' prefix.
    public init(_ consumer: some Consumer, settings: ConsumerSettings) {
        let plan = TopicPlan(consumer, settings: settings)
        names = plan.names
        deadLetterNames = plan.deadLetterNames
        self.plan = plan
    }

    /// The full names of the topics that are read, those included that only a pattern matches.
    /// - Parameter broker: The broker that has the topics.
    /// - Returns: The declared names, whether they exist or not, then those that exist and match a pattern.
    /// - Throws: What the broker throws.
    public func names(on broker: any MessageBroker) async throws -> [String] {
        guard !plan.patterns.isEmpty else { return names }
        let existing = try await plan.existing(on: broker).map(\.name)
        return names + existing.filter { !names.contains($0) }.sorted()
    }
}
