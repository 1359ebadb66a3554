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
