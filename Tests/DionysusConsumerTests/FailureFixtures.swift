import Dionysus
import DionysusConsumer
import Logging
import Synchronization
import TestSupport

extension ReplicaHarness {
    /// The failures of the tests' group.
    func failures(_ consumer: any Consumer = Mirror(), settings: ConsumerSettings = .forTests) -> ConsumerFailures {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return ConsumerFailures(consumer, database: database, broker: broker, settings: settings, logger: logger)
    }

    /// Appends messages with whatever bytes they have.
    func publish(raw messages: [OutgoingMessage]) async throws {
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
        for result in await producer.send(messages) { _ = try result.get() }
        await producer.close(deadline: .seconds(5))
    }

    func execute(_ statements: SQL...) async throws {
        try await database.transaction(.write) { transaction in _ = try transaction.run(statements) }
    }

    /// Makes a record that has a rental's name already, so that the rental can't be stored.
    func take(name: String) async throws {
        try await execute(
            """
            INSERT INTO rentals (synced_id, name, created_at, updated_at)
            VALUES (1000000, \(name), \(database.dialect.now), \(database.dialect.now))
            """
        )
    }

    /// Gives all taken names back.
    func release() async throws { try await execute("DELETE FROM rentals WHERE synced_id = 1000000") }

    /// The recorded failures: offset, how it stands, attempts and kind of error.
    func recorded() async throws -> [String] {
        try await failures().list(FailureFilter(limit: 1_000))
            .map { "\($0.offset) \($0.state) \($0.attempts) \($0.errorClass)" }
    }
}

/// Writes down every event in the transaction of its data, and throws for some.
final class Diary: Sendable {
    struct Refusal: Error {}

    private let refused: Mutex<Set<Int64>>

    init(refusing offsets: Set<Int64> = []) { refused = Mutex(offsets) }

    /// Refuses no event any more.
    func mend() { refused.withLock { $0 = [] } }

    func refuse(_ offset: Int64) { refused.withLock { _ = $0.insert(offset) } }

    static func create(in replica: ReplicaHarness) async throws {
        try await replica.execute(
            """
            CREATE TABLE diary (id \(raw: replica.database.dialect.columnType(.identity)),
              partition_number bigint, message_offset bigint)
            """
        )
    }

    /// The offsets, in the order in which they were written down.
    static func offsets(in replica: ReplicaHarness) async throws -> [String] {
        try await replica.rows("SELECT message_offset FROM diary ORDER BY id")
    }

    var handler: EventHandler {
        { [self] event, transaction in
            if refused.withLock({ $0.contains(event.message.offset) }) { throw Refusal() }
            try transaction.run(
                """
                INSERT INTO diary (partition_number, message_offset)
                VALUES (\(event.message.source.partition), \(event.message.offset))
                """
            )
            return .acknowledged
        }
    }
}

extension Mirror {
    /// A replica whose rentals are treated in a way of the test's.
    static func rentals(_ change: (ConsumerTopic) -> ConsumerTopic) -> Mirror {
        var mirror = Mirror()
        mirror.rentals = change(mirror.rentals)
        return mirror
    }
}
