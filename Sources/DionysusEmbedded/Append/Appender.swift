import Dionysus
import GRDB

/// What one call of a producer appends.
struct AppendBatch: Sendable {
    let messages: [OutgoingMessage]
    let partitioner: Partitioner
}

/// Writes batches into the log, in one transaction.
struct Appender {
    /// The result for a message: an acknowledgement, or an error that leaves the others alone.
    typealias Results = [Result<Acknowledgement, DionysusError>]

    /// The place where a partition grows.
    private struct Tail {
        var nextOffset: Int64
        var bytes: Int64 = 0
    }

    let connection: Connection
    let catalogue: TopicCatalogue
    let options: EmbeddedLogOptions
    private let timestamp = Timestamp.now
    private var tails: [Int64: Tail] = [:]
    private var layouts: [String: TopicLayout] = [:]

    init(connection: Connection, catalogue: TopicCatalogue, options: EmbeddedLogOptions) {
        self.connection = connection
        self.catalogue = catalogue
        self.options = options
    }

    /// Appends batches in their order.
    /// - Returns: A result per message of each batch, and the topics to be remembered once this is committed.
    mutating func append(_ batches: [AppendBatch]) throws -> (results: [Results], topics: [TopicLayout]) {
        let insertion = try MessageInsertion(connection)
        let results = try batches.map { batch in
            try batch.messages.map { try append($0, with: batch.partitioner, insertion) }
        }
        let update = try connection.cachedStatement(
            sql: "UPDATE partitions SET next_offset = ?, bytes = bytes + ? WHERE id = ?"
        )
        for (partitionID, tail) in tails {
            try update.execute(arguments: [tail.nextOffset, tail.bytes, partitionID])
        }
        return (results, Array(layouts.values))
    }

    private mutating func append(
        _ message: OutgoingMessage,
        with partitioner: Partitioner,
        _ insertion: MessageInsertion
    ) throws -> Result<Acknowledgement, DionysusError> {
        let headers = HeaderCoding.encode(message.headers)
        let size = (message.key?.count ?? 0) + (message.value?.count ?? 0) + (headers?.count ?? 0)
        guard size <= options.maximumMessageBytes else { return .failure(tooLarge(message, size)) }
        guard let layout = try layout(of: message.topic) else { return .failure(invalidName()) }
        let number =
            switch message.destination {
            case .partition(let number): number
            case .partitioned(let key): partitioner.partition(of: key, partitions: layout.partitionCount)
            }
        guard let partitionID = layout.partitionID(number) else { return .failure(unknownPartition(number, layout)) }

        var tail = try tails[partitionID] ?? Tail(nextOffset: nextOffset(of: partitionID))
        let offset = tail.nextOffset
        let id = MessageID.make(partitionID: partitionID, offset: offset)
        try insertion.insert(id, timestamp.microseconds, message.key, message.value, headers)
        tail.nextOffset += 1
        tail.bytes += Int64(size)
        tails[partitionID] = tail
        return .success(Acknowledgement(partition: number, offset: offset))
    }

    private mutating func layout(of topic: String) throws -> TopicLayout? {
        if let layout = layouts[topic] { return layout }
        guard TopicCatalogue.isValidName(topic) else { return nil }
        let layout =
            try catalogue.layout(of: topic, in: connection)
            ?? catalogue.create(topic, partitions: options.defaultPartitions, in: connection)
        layouts[topic] = layout
        return layout
    }

    private func nextOffset(of partitionID: Int64) throws -> Int64 {
        let query = try connection.cachedStatement(sql: "SELECT next_offset FROM partitions WHERE id = ?")
        return try Int64.fetchOne(query, arguments: [partitionID]) ?? 0
    }

    private func tooLarge(_ message: OutgoingMessage, _ size: Int) -> DionysusError {
        DionysusError(
            .messageRejected,
            "a message for topic \(message.topic) has \(size) bytes, the log takes \(options.maximumMessageBytes)",
            advice: "make the message smaller, or raise maximumMessageBytes"
        )
    }

    private func invalidName() -> DionysusError {
        DionysusError(
            .unknownTopic,
            "the name of a message's topic is not valid",
            advice: "use 1 to 249 letters, digits, dots, underscores and dashes"
        )
    }

    private func unknownPartition(_ number: Int32, _ layout: TopicLayout) -> DionysusError {
        DionysusError(
            .unknownTopic,
            "topic \(layout.name) has no partition \(number), but \(layout.partitionCount) partitions",
            advice: "send by partition key, or to a partition that exists"
        )
    }
}
