import Dionysus
import DionysusEmbedded
import Foundation
import Testing

/// Lends a path for a log in a directory that does not exist yet, and removes the directory afterwards.
func withLogPath<T>(_ body: (String) async throws -> T) async throws -> T {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dionysus-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory.appendingPathComponent("nested/log.sqlite").path)
}

extension MessageBroker {
    func makeConsumer(
        of topic: String,
        group: String = "group",
        settings: [String: String] = [:]
    ) async throws -> any MessageConsumer {
        try await makeConsumer(
            ConsumerOptions(clientID: "test", groupID: group, topics: [topic], settings: settings)
        )
    }

    func makeProducer() async throws -> any MessageProducer {
        try await makeProducer(ProducerOptions(clientID: "test"))
    }
}

/// Numbered messages for one partition.
func messages(_ range: Range<Int>, for topic: String, partition: Int32 = 0) -> [OutgoingMessage] {
    range.map { number in
        OutgoingMessage(
            topic: topic,
            destination: .partition(partition),
            key: Array("key-\(number)".utf8),
            value: Array("\(number)".utf8)
        )
    }
}

/// The numbers of such messages.
func numbers(_ messages: [ConsumedMessage]) throws -> [Int] {
    try messages.map { message in
        try #require(message.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) })
    }
}

extension MessageConsumer {
    /// Answers events until this many partitions are owned and started.
    func startAll(_ count: Int) async throws {
        var owned = 0
        while owned < count {
            switch try await next(maxMessages: 100, timeout: .seconds(60)) {
            case .assigned(let partitions):
                try await start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .earliest) }))
                owned += partitions.count
            case .revoked(let partitions):
                try await release(partitions)
                owned -= partitions.count
            default: throw UnexpectedEvent()
            }
        }
    }
}

struct UnexpectedEvent: Error {}

extension MessageBroker {
    /// Reads this many messages of a topic, as a group of its own.
    func read(_ count: Int, of topic: String) async throws -> [ConsumedMessage] {
        let consumer = try await makeConsumer(of: topic, group: UUID().uuidString)
        var messages: [ConsumedMessage] = []
        while messages.count < count {
            switch try await consumer.next(maxMessages: count, timeout: .seconds(60)) {
            case .assigned(let partitions):
                try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .earliest) }))
            case .messages(let batch): messages += batch
            default: throw UnexpectedEvent()
            }
        }
        await consumer.close()
        return messages
    }
}
