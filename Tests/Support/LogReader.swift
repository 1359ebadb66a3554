public import Dionysus

/// A message in the log.
public struct PublishedMessage: Sendable {
    public let partition: Int32
    public let key: String
    public let value: JSON
    /// The published value.
    public let text: String
    public let headers: [String: String]

    /// Reads a message.
    public init(_ message: ConsumedMessage) throws {
        partition = message.source.partition
        key = String(decoding: message.key ?? [], as: UTF8.self)
        text = String(decoding: message.value ?? [], as: UTF8.self)
        value = try message.value.map { try JSON(parsing: $0) } ?? .null
        headers = Dictionary(
            message.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) },
            uniquingKeysWith: { $1 }
        )
    }

    /// The first event's name.
    public var event: String { string(first?["event"]) }
    /// The first event's first payload.
    public var payload: JSON { element(first?["data"]) ?? .null }
    /// The version of its snapshot.
    public var version: Int64 { headers[HeaderName.version].flatMap { Int64($0) } ?? 0 }

    private var first: JSON? { element(value["message"]) }

    private func element(_ value: JSON?) -> JSON? {
        guard case .array(let elements) = value else { return nil }
        return elements.first
    }

    private func string(_ value: JSON?) -> String {
        guard case .string(let text) = value else { return "" }
        return text
    }
}

/// Reads a topic from the beginning to its current end.
public func readAll(_ topic: String, from broker: any MessageBroker) async throws -> [PublishedMessage] {
    try await readRaw(topic, from: broker).map { try PublishedMessage($0) }
}

/// Reads a topic like ``readAll(_:from:)``, without decoding the messages.
public func readRaw(_ topic: String, from broker: any MessageBroker) async throws -> [ConsumedMessage] {
    try await readRaw([topic], from: broker)
}

/// Reads several topics at once.
public func readRaw(_ topics: [String], from broker: any MessageBroker) async throws -> [ConsumedMessage] {
    let partitions = try await broker.describeTopics(topics)
        .flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
    var rest = try await broker.offsets(of: partitions).filter { $1.next > $1.first }
    guard !rest.isEmpty else { return [] }
    let consumer = try await broker.makeConsumer(
        ConsumerOptions(clientID: "reader", partitions: rest.keys.sorted())
    )
    var messages: [ConsumedMessage] = []
    while !rest.isEmpty {
        switch try await consumer.next(maxMessages: 5_000, timeout: .seconds(30)) {
        case .assigned(let partitions):
            try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .earliest) }))
        case .messages(let batch):
            messages += batch
            for message in batch where rest[message.source].map({ message.offset >= $0.next - 1 }) == true {
                rest[message.source] = nil
            }
        case .reached(let ends):
            for (partition, end) in ends where rest[partition].map({ end >= $0.next }) == true { rest[partition] = nil }
        case .revoked(let partitions): try await consumer.release(partitions)
        case .lost, .outOfRange: break
        case nil: throw DionysusError(.brokerUnavailable, "the log was not read to its end within 30 s")
        }
    }
    await consumer.close()
    return messages.sorted { ($0.source, $0.offset) < ($1.source, $1.offset) }
}
