public import Dionysus
public import DionysusSchemas

/// Handles messages that are no model's, inside the transaction that moves the partition's offset.
typealias MessageHandler = @Sendable ([ReceivedMessage<JSON>], inout Transaction) throws -> Void

/// Whether an error of the application's stops the consumer.
typealias FatalErrorRule = @Sendable (any Error, [ConsumedMessage]) -> Bool

extension ConsumerTopic {
    /// Declares a topic of messages that are no model's, for handlers.
    ///
    ///     Topic(messages: "announcements", encoding: .record(.avro(.named("feed.Announcement", in: "schemas"), key: .none)))
    ///         .handling(messages: Announcement.self) { announcement, transaction in … }
    /// - Parameters:
    ///   - name: Its name without the namespace: `announcements`.
    ///   - encoding: How its messages are written: `.record(…)`.
    public init(messages name: String, encoding: TopicEncoding = .record(.json)) {
        self.init(name, encoding: encoding, accepting: [])
        holdsMessages = true
        batchTransformation = nil
    }

    /// Handles each message of a topic of messages, in the order of the partition.
    ///
    /// A message, what the handler writes and the offset are one transaction. What the handler throws undoes it: the
    /// messages of the batch are then tried in smaller batches and at last one by one, so that only those fail that
    /// fail by themselves.
    /// - Parameters:
    ///   - type: What messages hold; a value that doesn't fit it is a failure of its message.
    ///   - handler: Called with each message. The transaction may be tried again, so it must not have other effects.
    public func handling<Payload: Decodable & Sendable>(
        messages type: Payload.Type,
        _ handler: @escaping @Sendable (ReceivedMessage<Payload>, inout Transaction) throws -> Void
    ) -> ConsumerTopic {
        changing { topic in
            topic.messageHandlers.append { messages, transaction in
                for message in messages { try handler(try message.decoded(as: type), &transaction) }
            }
        }
    }

    /// Handles the messages of each batch together, in the order of the partition.
    ///
    /// As ``handling(messages:_:)``, with one call for all messages of a transaction: from one to the settings' batch size.
    /// - Parameters:
    ///   - type: What messages hold; a value that doesn't fit it is a failure of its message.
    ///   - handler: Called with the messages.
    public func handling<Payload: Decodable & Sendable>(
        batches type: Payload.Type,
        _ handler: @escaping @Sendable ([ReceivedMessage<Payload>], inout Transaction) throws -> Void
    ) -> ConsumerTopic {
        changing { topic in
            topic.messageHandlers.append { messages, transaction in
                try handler(try messages.map { try $0.decoded(as: type) }, &transaction)
            }
        }
    }

    /// Hands over only the last message of each key of a batch.
    ///
    /// The others are taken for done. Messages without a key are all handed over.
    public func compacted() -> ConsumerTopic { batchTransformation(.latestOfKey) }

    /// Stops the consumer at errors of the application's that concern more than their messages.
    ///
    ///     Topic("payments").stopping { error, _ in error is LedgerClosed }
    ///
    /// The transaction is undone and nothing is parked: started again, the consumer begins with the same messages. Other
    /// errors remain failures of their messages, as ``onFailure(_:)`` says.
    /// - Parameter isFatal: Whether an error stops the consumer; it gets what a handler, filter or middleware has thrown,
    ///   and the messages of the batch.
    public func stopping(
        at isFatal: @escaping @Sendable (_ error: any Error, _ messages: [ConsumedMessage]) -> Bool
    ) -> ConsumerTopic {
        changing { $0.isFatal = isFatal }
    }
}

extension ReceivedMessage<JSON> {
    /// The message with its payload decoded.
    fileprivate func decoded<Value: Decodable & Sendable>(as type: Value.Type) throws -> ReceivedMessage<Value> {
        guard let payload else { return ReceivedMessage<Value>(message: message, payload: nil, key: key) }
        if let value = payload as? Value { return ReceivedMessage<Value>(message: message, payload: value, key: key) }
        do {
            let decoder = JSONTreeDecoder(value: payload, path: "the message")
            return ReceivedMessage<Value>(message: message, payload: try Value(from: decoder), key: key)
        } catch {
            throw DionysusError(in: message, error)
        }
    }
}
