import Dionysus
public import DionysusSchemas
import Synchronization

extension ConsumerTopic {
    /// Declares all topics of a namespace whose names match a regular expression, also those that are created later.
    ///
    ///     Namespace("v3") {
    ///         Topic(matching: "bookings_[a-z]+").lanes(4)
    ///     }
    ///
    /// The options hold for each topic that matches and is not declared by its name. The broker's client and Dionysus
    /// both read the expression, so keep to what POSIX extended expressions know: `[0-9]`, not `\d`.
    /// - Parameters:
    ///   - pattern: The expression, which has to match the whole name without the namespace.
    ///   - encoding: How their messages are written: the producer's encoding, or `.auto`.
    ///   - models: The models that the topics may write, by their names on the wire; by default all that no other topic
    ///     claims.
    ///   - imports: Whether created and destroyed events are handed over to replicas that import them.
    public init(
        matching pattern: String,
        encoding: TopicEncoding = .envelope,
        accepting models: TopicModels = .unclaimed,
        imports: Bool = false
    ) {
        self.init(pattern, encoding: encoding, accepting: models, imports: imports)
        isPattern = true
    }
}

/// The topics that are declared by regular expressions.
final class TopicPatterns: Sendable {
    /// The declarations, in their order.
    let topics: [ConsumerTopic]
    /// For each, the expression that full names match.
    let expressions: [String]
    /// What names were found to match.
    ///
    /// There are no more of them than the broker has topics.
    private let found = Mutex<[String: ConsumerTopic?]>([:])

    init(_ declared: [(prefix: String, topic: ConsumerTopic)]) {
        topics = declared.map(\.topic)
        expressions = declared.map { "^\(Self.escaped($0.prefix))(\($0.topic.name))$" }
    }

    /// The first declaration that a full name matches.
    func topic(matching name: String) -> ConsumerTopic? {
        guard !topics.isEmpty else { return nil }
        if let known = found.withLock({ $0[name] }) { return known }
        let match = zip(expressions, topics).first { Self.matches(name, $0.0) }?.1
        found.withLock { $0[name] = .some(match) }
        return match
    }

    /// What is wrong with the expressions, a line each.
    func faults(deadLetterNames: [String]) -> [String] {
        zip(expressions, topics)
            .flatMap { expression, topic -> [String] in
                guard !topic.name.isEmpty, (try? Regex(topic.name)) != nil, (try? Regex(expression)) != nil else {
                    return ["the topic pattern '\(topic.name)' is no regular expression"]
                }
                return deadLetterNames.filter { Self.matches($0, expression) }
                    .map { "the topic pattern '\(topic.name)' matches the dead-letter queue \($0)" }
            }
    }

    private static func matches(_ name: String, _ expression: String) -> Bool {
        // What is no expression has been reported before anything was read.
        guard let regex = try? Regex(expression) else { return false }
        return name.wholeMatch(of: regex) != nil
    }

    /// A text as an expression that matches nothing else.
    static func escaped(_ text: String) -> String {
        text.map { character in
            character.isLetter || character.isNumber || character == "_" || character == "-"
                ? String(character) : "[\(character)]"
        }
        .joined()
    }
}
