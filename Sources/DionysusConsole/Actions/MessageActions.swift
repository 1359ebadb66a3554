import Dionysus
import DionysusConsumer

/// What is done with messages in their topics.
enum MessageActions {
    /// Publishes a message once more, to the partition that it is in.
    static func republish(
        _ partition: TopicPartition,
        _ offset: Int64,
        _ system: ObservedSystem,
        _ broker: any MessageBroker
    ) -> ActionCenter.Plan {
        let place = "\(partition) offset \(offset)"
        let path = Link.messages(partition.topic, partition: partition.partition, offset: offset)
        return SourceActions.once("Publish \(place) again", "messages.republish", place, path) {
            let message = try await message(partition, offset, system, broker)
            let options = system.producer?.settings.producerOptions
            let producer = try await broker.makeProducer(
                options ?? ProducerOptions(clientID: system.consumer?.settings.clientID ?? "dionysus")
            )
            let results = await producer.send([
                OutgoingMessage(
                    topic: partition.topic,
                    destination: .partition(partition.partition),
                    key: message.key,
                    value: message.value,
                    headers: message.headers
                )
            ])
            await producer.close(deadline: .seconds(10))
            guard let sent = try results.first?.get() else {
                throw DionysusError(.brokerUnavailable, "the broker has not acknowledged the message")
            }
            let path = Link.messages(partition.topic, partition: sent.partition, offset: sent.offset)
            return .init(subject: place, outcome: "published at offset \(sent.offset)", isDone: true, path: path)
        }
    }

    private static func message(
        _ partition: TopicPartition,
        _ offset: Int64,
        _ system: ObservedSystem,
        _ broker: any MessageBroker
    ) async throws -> TopicMessage {
        let reading = TopicReading(
            topic: partition.topic,
            partition: partition.partition,
            start: .place(.offset(offset)),
            broker: broker,
            settings: system.readerSettings,
            patience: .seconds(2),
            firstPatience: .seconds(10)
        )
        var found: TopicMessage?
        _ = try await reading.run { messages in
            found = messages.first?.message
            return false
        }
        guard let found, found.offset == offset else {
            throw DionysusError(.notFound, "there is no message at \(partition) offset \(offset) any more")
        }
        return found
    }
}
