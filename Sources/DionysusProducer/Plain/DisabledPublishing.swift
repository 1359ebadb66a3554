import Tracing

/// Runs work in which publishers of plain messages send nothing, such as an import whose messages nobody needs.
///
///     try await withoutPublishing(to: "feed_announcements") { try await importAnnouncements() }
///
/// It holds for the task and its children, within other calls too, until the work has ended. What is not sent is lost: a
/// message is neither stored nor sent later. Messages of models, which capture records, are not affected.
/// - Parameters:
///   - topics: The full names of the topics to which nothing is sent; none of them for all topics.
///   - isolation: The actor that runs the work; the caller's by default.
///   - work: The work.
/// - Returns: What the work returns.
/// - Throws: What the work throws.
public func withoutPublishing<Result>(
    to topics: String...,
    isolation: isolated (any Actor)? = #isolation,
    _ work: () async throws -> Result
) async rethrows -> Result {
    // The context is passed on to transactions' bodies, which run on threads of their own.
    var context = ServiceContext.current ?? .topLevel
    let before = context[DisabledTopicsKey.self]
    context[DisabledTopicsKey.self] = topics.isEmpty ? .all : before?.adding(topics) ?? .some(Set(topics))
    return try await ServiceContext.$current.withValue(context, operation: work, isolation: isolation)
}

/// The topics to which the task sends no plain messages.
enum DisabledTopics: Sendable {
    case all
    case some(Set<String>)

    fileprivate func adding(_ topics: [String]) -> DisabledTopics {
        switch self {
        case .all: .all
        case .some(let known): .some(known.union(topics))
        }
    }

    /// Whether the task sends nothing to a topic.
    static func contains(_ topic: String) -> Bool {
        switch ServiceContext.current?[DisabledTopicsKey.self] {
        case nil: false
        case .all?: true
        case .some(let topics)?: topics.contains(topic)
        }
    }
}

private enum DisabledTopicsKey: ServiceContextKey {
    typealias Value = DisabledTopics
    static var nameOverride: String? { "dionysus-disabled-topics" }
}
