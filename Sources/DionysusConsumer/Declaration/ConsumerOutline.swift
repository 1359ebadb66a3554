package import Dionysus
import DionysusSchemas

/// What a consumer's declaration says, for people to read.
package struct ConsumerOutline: Sendable {
    /// A topic that is read.
    package struct Topic: Sendable {
        /// Its full name, or the pattern of names.
        package let name: String
        /// Whether the name is a regular expression.
        package let isPattern: Bool
        /// Where it begins without a stored offset.
        package let start: StartPosition
        /// What becomes of messages that fail, in words.
        package let onFailure: String
        /// The topic for dead letters, if there is one.
        package let deadLetters: String?
        /// Whether its replicas are compared with their source.
        package let isVerified: Bool
        /// What else was chosen, in words.
        package let options: [String]
    }

    /// How a model is kept.
    package struct Replica: Sendable {
        /// The model's name on the wire.
        package let model: String
        /// The namespace that it is declared for; nil for all.
        package let namespace: String?
        /// The table; nil if it is kept in none.
        package let table: String?
        /// How it is kept, in words.
        package let storage: String
        /// What else was chosen, in words.
        package let options: [String]
    }

    /// The topics, in the order of the declaration.
    package let topics: [Topic]
    /// The replicas that are declared; a model that isn't among them follows the convention.
    package let replicas: [Replica]

    /// Reads a declaration.
    /// - Parameters:
    ///   - settings: The settings, for the topics' prefix.
    package init(_ consumer: some Consumer, settings: ConsumerSettings) {
        let plan = ConsumedTopics(consumer, settings: settings)
        topics = zip(plan.names + plan.patterns, plan.all).map { Topic(name: $0, $1) }
        replicas = ModelFactory(consumer, settings).scopes
            .flatMap { scope in scope.models.map { Replica($0, namespace: scope.namespace, settings.inflection) } }
    }
}

extension ConsumerOutline.Topic {
    fileprivate init(name: String, _ topic: ConsumerTopic) {
        self.name = name
        isPattern = topic.isPattern
        isVerified = topic.isVerified
        start = topic.start
        (onFailure, deadLetters) =
            switch topic.failurePolicy {
            case .record(laterMessages: .pass): ("recorded, later messages of the key pass", nil)
            case .record(laterMessages: .wait): ("recorded, later messages of the key wait", nil)
            case .deadLetter(let topic, let retries): ("sent to \(topic) after \(retries) retries", topic)
            case .skip: ("logged and skipped", nil)
            case .stop: ("the consumer stops", nil)
            }
        var options: [String] = []
        if topic.encoding.name != "envelope" { options.append("encoding: \(topic.encoding.name)") }
        if topic.imports { options.append("imports") }
        if topic.holdsMessages { options.append("messages of no model") }
        if topic.eventIdentity != nil { options.append("event log") }
        if topic.isVerified { options.append("verified") }
        if let sharing = topic.sharing { options.append("sharing: \(sharing.choice.rawValue)") }
        if topic.tombstonesDelete { options.append("tombstones delete") }
        if topic.lanes > 1 { options.append("\(topic.lanes) lanes a partition") }
        if !topic.messageHandlers.isEmpty { options.append("message handlers: \(topic.messageHandlers.count)") }
        if !topic.handlers.isEmpty { options.append("handlers: \(topic.handlers.count)") }
        if !topic.filters.isEmpty { options.append("filters: \(topic.filters.count)") }
        self.options = options
    }
}

extension ConsumerOutline.Replica {
    fileprivate init(_ declared: ReplicaModel, namespace: String?, _ inflection: Inflection) {
        model = declared.remoteName
        self.namespace = namespace
        if declared.customStorage != nil {
            table = nil
            storage = "stored by the application"
        } else if declared.isConventional {
            table = inflection.plural(of: inflection.underscored(declared.remoteName))
            storage = "table, if it exists"
        } else {
            table = declared.table
            storage = declared.table == nil ? "ignored" : "table"
        }
        var options = declared.renamings.sorted { $0.key < $1.key }.map { "\($0.key) in column \($0.value)" }
        for (relationship, policy) in declared.associations.sorted(by: { $0.key < $1.key }) {
            switch policy {
            case .replace(let key): options.append("replaces \(relationship) by \(key)")
            case .join(let table, _, _): options.append("links \(relationship) through \(table)")
            }
        }
        if declared.softDeletes { options.append("keeps destroyed records") }
        if declared.importing != nil || declared.destroying != nil { options.append("imports") }
        self.options = options
    }
}
