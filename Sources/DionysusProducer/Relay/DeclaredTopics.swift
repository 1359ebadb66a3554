import Dionysus
import Logging

/// The declared topics that the broker doesn't have yet.
///
/// One that is made by its first message makes that message wait, and the next such topic the next message.
struct DeclaredTopics: Sendable {
    let specifications: [TopicSpecification]
    let broker: any MessageBroker
    let logger: Logger

    private func missing() async throws -> [TopicSpecification] {
        guard !specifications.isEmpty else { return [] }
        let known = Set(try await broker.describeTopics(specifications.map(\.name)).map(\.name))
        return specifications.filter { !known.contains($0.name) }
    }

    /// Creates those that are missing, in one request.
    ///
    /// A topic that the broker refuses for good is logged, and doesn't keep rows of other topics from being published.
    /// - Throws: ``DionysusError`` if the broker can't be reached.
    func create() async throws {
        do {
            let missing = try await missing()
            guard !missing.isEmpty else { return }
            try await broker.createTopics(missing)
            logger.info("created \(missing.count) topics: \(Self.list(missing))")
        } catch let error as DionysusError where !error.isRetriable {
            logger.warning("topics can't be created: \(error)")
        }
    }

    /// Logs which are missing, where their creation takes time.
    ///
    /// Nothing is logged if the broker is away: sending reports that.
    func reportMissing() async {
        guard broker.messagingSystem == "kafka", let missing = try? await missing(), !missing.isEmpty else { return }
        logger.warning(
            """
            the broker doesn't have \(missing.count) of the declared topics: \(Self.list(missing)); create them with \
            `topics --create`, or set DIONYSUS_CREATE_TOPICS=true
            """
        )
    }

    private static func list(_ topics: [TopicSpecification]) -> String {
        let names = topics.prefix(20).map(\.name).joined(separator: ", ")
        return topics.count > 20 ? "\(names) …" : names
    }
}
