package import Dionysus
package import DionysusSchemas

/// What a topic's declaration says, as far as it is no code.
package struct TopicChoices: Sendable {
    /// What its name is.
    package enum Naming: Sendable {
        case inNamespace
        case pattern
        case full
    }

    /// The models that it may write.
    package enum Accepted: Sendable {
        case any
        case unclaimed
        case models([String])
    }

    /// What becomes of the messages of a batch.
    package enum Batches: String, Sendable, CaseIterable {
        case latestUpdates = "latest_updates"
        case latestOfKey = "latest_of_key"
        case whole
    }

    package let name: String
    package let naming: Naming
    package let encoding: TopicEncoding
    package let imports: Bool
    package let accepted: Accepted
    package let failurePolicy: FailedMessagePolicy
    package let retry: RetryPolicy.Exponential?
    /// Nil for code.
    package let batches: Batches?
    package let conditions: [AttributeCondition]
    package let start: StartPosition
    package let tombstonesDelete: Bool
    package let sharing: SharingChoice?
    package let eventIdentity: EventIdentity?
    package let lanes: Int
    package let isVerified: Bool
    /// Whether its messages are no model's.
    package let holdsMessages: Bool
    /// What only code can say, a line each.
    package let unsaid: [String]

    package init(_ topic: ConsumerTopic) {
        name = topic.name
        naming = topic.isPattern ? .pattern : topic.isNamedInFull ? .full : .inNamespace
        encoding = topic.encoding
        imports = topic.imports
        accepted =
            switch topic.models.choice {
            case .any: .any
            case .unclaimed: .unclaimed
            case .only(let models): .models(models.sorted())
            }
        failurePolicy = topic.failurePolicy
        retry = topic.retryPolicy?.exponential
        batches = Self.batches(topic.batchTransformation)
        conditions = topic.filters.compactMap(\.condition)
        start = topic.start
        tombstonesDelete = topic.tombstonesDelete
        sharing = topic.sharing.map(\.choice)
        eventIdentity = topic.eventIdentity
        lanes = topic.lanes
        isVerified = topic.isVerified
        holdsMessages = topic.holdsMessages
        var unsaid: [String] = []
        if topic.retryPolicy != nil, retry == nil { unsaid.append("when messages are tried again") }
        if batches == nil { unsaid.append("what becomes of the messages of a batch") }
        if conditions.count < topic.filters.count { unsaid.append("filters") }
        if sharing == .code { unsaid.append("what its events have for themselves") }
        if !topic.handlers.isEmpty || !topic.messageHandlers.isEmpty { unsaid.append("handlers") }
        if !topic.middleware.isEmpty { unsaid.append("middleware") }
        if topic.isFatal != nil { unsaid.append("which errors stop the consumer") }
        if topic.identifier != nil { unsaid.append("how its records are identified") }
        self.unsaid = unsaid
    }

    private static func batches(_ transformation: BatchTransformation?) -> Batches? {
        switch transformation?.kind {
        case nil: .whole
        case .latestUpdates: .latestUpdates
        case .latestOfKey: .latestOfKey
        case .custom: nil
        }
    }
}
