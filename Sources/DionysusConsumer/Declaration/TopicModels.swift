import Dionysus

/// Which models a topic may write.
///
///     Topic("bookings", accepting: ["Booking", "BookingsFee"])
///
/// Whoever may write to a topic decides what its messages say. The records that come along in others count, too.
public struct TopicModels: Sendable, Hashable, ExpressibleByArrayLiteral {
    enum Choice: Sendable, Hashable {
        case any
        case unclaimed
        case only(Set<String>)
    }

    let choice: Choice

    var acceptsAny: Bool { if case .any = choice { true } else { false } }

    private init(_ choice: Choice) { self.choice = choice }

    /// Accepts the models of these names.
    /// - Parameter elements: The models' names on the wire.
    public init(arrayLiteral elements: String...) { self.init(.only(Set(elements))) }

    /// All models, also those that other topics are named after.
    public static let any = TopicModels(.any)

    /// All models but those of other topics: those that they name, or else the one that they are named after, as `Rental`
    /// is of the topics `rentals` and `rentals_genesis`.
    ///
    /// The default, so that models needn't be named.
    public static let unclaimed = TopicModels(.unclaimed)

    /// Accepts the models of these names.
    /// - Parameter names: The models' names on the wire.
    public static func models(_ names: some Sequence<String>) -> TopicModels { TopicModels(.only(Set(names))) }
}

/// What a declared topic may write, looked at beside the other topics.
struct TopicAcceptance: Sendable {
    fileprivate enum Rule: Sendable {
        case any
        case only(Set<String>)
        case except(models: Set<String>, tables: Set<String>)
    }

    fileprivate let rule: Rule
    private let factory: ModelFactory
    private let namespace: String?

    fileprivate init(_ rule: Rule, _ factory: ModelFactory, _ namespace: String?) {
        self.rule = rule
        self.factory = factory
        self.namespace = namespace
    }

    func accepts(_ model: String) -> Bool {
        switch rule {
        case .any: return true
        case .only(let models): return models.contains(model)
        case .except(let models, let tables):
            // Several names may stand for one table: `Rental`, `rental`, `RENTAL`.
            guard !models.contains(model) else { return false }
            guard !tables.isEmpty, let table = factory.expectedTable(of: model, in: namespace) else { return true }
            return !tables.contains(table)
        }
    }

    /// What it may write, as a part of a sentence.
    var description: String {
        switch rule {
        case .any: return "any model"
        case .only(let models): return models.isEmpty ? "no model" : models.sorted().joined(separator: ", ")
        case .except(let models, _):
            guard !models.isEmpty else { return "any model" }
            return "any model but \(models.sorted().joined(separator: ", ")), which are those of other topics"
        }
    }
}

/// The models that topics have for themselves.
struct ModelClaims {
    private struct Claim {
        let topic: Int
        let namespace: String?
        let models: Set<String>
    }

    private let claims: [Claim]
    private let factory: ModelFactory

    init(_ topics: [ConsumerTopic], factory: ModelFactory, inflection: Inflection) {
        self.factory = factory
        claims = topics.enumerated()
            .map { number, topic in
                Claim(topic: number, namespace: topic.namespace, models: Self.models(of: topic, inflection))
            }
    }

    /// The models that a topic names, or else the one that it is named after.
    static func models(of topic: ConsumerTopic, _ inflection: Inflection) -> Set<String> {
        if case .only(let models) = topic.models.choice { return models }
        guard !topic.isPattern else { return [] }
        let suffix = "_genesis"
        let name = topic.name.hasSuffix(suffix) ? String(topic.name.dropLast(suffix.count)) : topic.name
        return [inflection.camelized(inflection.singular(of: name))]
    }

    /// What the topic of a place in the list may write.
    func acceptance(ofTopic number: Int, _ models: TopicModels) -> TopicAcceptance {
        let namespace = claims[number].namespace
        switch models.choice {
        case .any: return TopicAcceptance(.any, factory, namespace)
        case .only(let models): return TopicAcceptance(.only(models), factory, namespace)
        case .unclaimed:
            let own = claims[number]
            let others = claims.filter { $0.topic != number }
            let models = others.reduce(into: Set<String>()) { $0.formUnion($1.models) }.subtracting(own.models)
            let tables = others.reduce(into: Set<String>()) { $0.formUnion(self.tables(of: $1)) }
                .subtracting(self.tables(of: own))
            return TopicAcceptance(.except(models: models, tables: tables), factory, namespace)
        }
    }

    private func tables(of claim: Claim) -> Set<String> {
        Set(claim.models.compactMap { factory.expectedTable(of: $0, in: claim.namespace) })
    }
}
