import Dionysus
import DionysusConsumer
import DionysusEmbedded
import Foundation
import Logging
import TestSupport

/// A replica in an empty database, and a log beside it.
struct ReplicaHarness: Sendable {
    let database: any CapturingDatabase
    let broker: any MessageBroker

    static func run<T: Sendable>(
        _ kind: TestDatabaseKind,
        _ body: (ReplicaHarness) async throws -> T
    ) async throws -> T {
        try await withTemporaryDatabase(kind) { database in
            try await withTemporaryDirectory { directory in
                let options = EmbeddedLogOptions(maximumMessageBytes: 20_000_000)
                let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite", options: options)
                try await database.transaction(.write) { try ReplicaTables.create(in: &$0) }
                try await ConsumerSchema(database: database).migrate()
                do {
                    let result = try await body(ReplicaHarness(database: database, broker: broker))
                    await broker.close()
                    return result
                } catch {
                    await broker.close()
                    throw error
                }
            }
        }
    }

    /// Appends messages to the log, those of a partition in their order.
    func publish(_ messages: WireMessage...) async throws { try await publish(messages) }

    func publish(_ messages: [WireMessage]) async throws {
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
        for result in await producer.send(messages.map(\.outgoing)) { _ = try result.get() }
        await producer.close(deadline: .seconds(5))
    }

    /// Applies everything that is in the log.
    func consume(
        _ consumer: any Consumer = Mirror(),
        settings: ConsumerSettings = .forTests,
        database: (any Database)? = nil
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        try await ConsumerService(
            consumer,
            database: database ?? self.database,
            broker: broker,
            settings: settings,
            mode: .untilCaughtUp,
            logger: logger
        )
        .run()
    }

    /// The rows of a query, with every value as text and null as `-`.
    func rows(_ query: SQL) async throws -> [String] {
        let result = try await database.transaction(.snapshot) { try $0.run(query) }
        return result.rows.map { row in
            row.columns.indices.map { row[$0].text }.joined(separator: " ")
        }
    }
}

extension ConsumerSettings {
    static var forTests: ConsumerSettings {
        var settings = ConsumerSettings()
        settings.clientID = "test"
        settings.pollTimeout = .milliseconds(50)
        settings.maxRetries = 0
        return settings
    }
}

extension DatabaseValue {
    /// The value as text, the same for both databases.
    var text: String {
        switch self {
        case .null: "-"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .double(let value): ExactDecimal(value)?.shortest ?? "?"
        case .decimal(let value): value.shortest
        case .text(let value), .json(let value):
            value.contains("T") ? Timestamp(value)?.iso8601(fractionDigits: 3) ?? value : value
        case .timestamp(let value): value.iso8601(fractionDigits: 3)
        case .uuid(let value): value.uuidString.lowercased()
        case .bytes(let value): String(decoding: value, as: UTF8.self)
        case .array(_, let values): values.map(\.text).joined(separator: ",")
        }
    }
}

extension ExactDecimal {
    /// The number without zeros at the end, because SQLite does not keep them.
    var shortest: String {
        let short = rounded(toScale: 0)
        return short == self ? short.description : description
    }
}

/// A replica of the example's models.
struct Mirror: Consumer {
    var accounts = ConsumerTopic("accounts", accepting: .any)
    var rentals = ConsumerTopic("rentals", accepting: .any)
    var bookings = ConsumerTopic("bookings", accepting: .any)
    var replicas: [ReplicaModel] = [Persist("Booking", table: "bookings").replacing("bookings_fees").element]
    var onConsume: @Sendable (ConsumedEvent) async throws -> Void = { _ in }

    var namespaces: [Namespace] {
        Namespace("v3") {
            accounts
            rentals
            bookings
        }
    }

    var models: Models { for replica in replicas { replica } }

    func didConsume(_ event: ConsumedEvent) async throws { try await onConsume(event) }
}

/// Middleware that does nothing: with any, what follows a commit is done before the next batch is written.
struct Bystander: ConsumerMiddleware {}

/// A message as a producer writes it.
struct WireMessage: Sendable {
    var topic: String
    var partition: Int32
    var key: String?
    var value: [UInt8]?
    var version: Int64?

    init(_ topic: String, partition: Int32 = 0, key: String? = nil, value: String?, version: Int64? = nil) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value.map { Array($0.utf8) }
        self.version = version
    }

    /// One event of one record.
    static func event(
        _ name: String,
        _ model: String,
        _ payload: String,
        partition: Int32 = 0,
        version: Int64? = nil
    ) -> WireMessage {
        let value = #"{"message":[{"event":"\#(name)","model_name":"\#(model)","data":[\#(payload)]}]}"#
        let topic = model == "Booking" ? "v3_bookings" : model == "Account" ? "v3_accounts" : "v3_rentals"
        return WireMessage(topic, partition: partition, key: "\(model):1", value: value, version: version)
    }

    /// An event of a rental.
    ///
    /// What is nil is not in the payload.
    static func rental(
        _ change: EventName.Change,
        _ id: Int,
        name: String? = nil,
        updatedAt: String? = nil,
        canceledAt: String? = nil,
        partition: Int32 = 0,
        version: Int64? = nil
    ) -> WireMessage {
        var members = [#""id":\#(id)"#]
        if let name { members.append(#""name":"\#(name)""#) }
        if let canceledAt { members.append(#""canceled_at":\#(canceledAt)"#) }
        if let updatedAt { members.append(#""updated_at":"\#(updatedAt)""#) }
        let payload = "{\(members.joined(separator: ",")),\"links\":{}}"
        var message = event("rental_\(change)", "Rental", payload, partition: partition, version: version)
        message.key = "Rental:\(id)"
        return message
    }

    var outgoing: OutgoingMessage {
        OutgoingMessage(
            topic: topic,
            destination: .partition(partition),
            key: key.map { Array($0.utf8) },
            value: value,
            headers: version.map { [MessageHeader(HeaderName.version, Array(String($0).utf8))] } ?? []
        )
    }
}
