import Dionysus
import DionysusConsumer
import DionysusPostgres

/// Keeps rentals by convention.
struct RentalMirror: Consumer {
    var onConsumed: @Sendable (ConsumedEvent) -> Void = { _ in }

    var namespaces: [Namespace] {
        Namespace("v3") { Topic("rentals") }
    }

    func didConsume(_ event: ConsumedEvent) async { onConsumed(event) }
}

extension Benchmark {
    /// Events per second: records that are new.
    static let consumerCreated = Benchmark(
        name: "consumer-created",
        figures: [
            Figure(name: "50,000 rental_created, one partition", unit: "events/s", targets: [.atLeast(30_000)]),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: { try await consume(updates: false) }
    )

    /// Events per second: records that are known.
    static let consumerUpdated = Benchmark(
        name: "consumer-updated",
        figures: [
            Figure(name: "50,000 rental_updated, one partition", unit: "events/s", targets: [.atLeast(30_000)]),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: { try await consume(updates: true) }
    )
}

private let eventCount = 50_000

private func consume(updates: Bool) async throws -> [Double] {
    try await withReplica { replica in
        let spent = try await withEmbeddedLog { broker in
            try await broker.createTopics([TopicSpecification(name: "v3_rentals", partitions: 1)])
            try await send(.created, to: broker, version: 1)
            if updates {
                try await applyAll(replica, broker)
                try await send(.updated, to: broker, version: 2)
            }
            return try await ContinuousClock().measure { try await applyAll(replica, broker) }
        }
        if !updates { try await execute(replica, "TRUNCATE rentals") }
        let floor = try await ContinuousClock().measure { try await upsertsAlone(replica) }
        return [Double(eventCount) / seconds(spent), Double(eventCount) / seconds(floor)]
    }
}

private func applyAll(_ replica: PostgresDatabase, _ broker: any MessageBroker) async throws {
    try await ConsumerService(
        RentalMirror(),
        database: replica,
        broker: broker,
        stopsWhenCaughtUp: true,
        logger: quiet
    )
    .run()
}

private func send(_ change: EventName.Change, to broker: any MessageBroker, version: Int64) async throws {
    let producer = try await broker.makeProducer(ProducerOptions(clientID: "bench"))
    for start in stride(from: 1, through: eventCount, by: 5_000) {
        let messages = (start..<(start + 5_000))
            .map { id in
                let payload = """
                    {"id":\(id),"name":"Villa number \(id)","price":"\(100 + version).50","bedrooms":\(id % 7),\
                    "check_in_time":15,"canceled_at":null,"created_at":"2026-11-21T03:59:48.440000Z",\
                    "updated_at":"2026-11-21T04:00:0\(version).440000Z","links":{"account":\(id % 1_000)}}
                    """
                let value =
                    #"{"message":[{"event":"rental_\#(change.rawValue)","model_name":"Rental","data":[\#(payload)]}]}"#
                return OutgoingMessage(
                    topic: "v3_rentals",
                    destination: .partition(0),
                    key: Array("Rental:\(id)".utf8),
                    value: Array(value.utf8),
                    headers: [MessageHeader(HeaderName.version, Array(String(version).utf8))]
                )
            }
        for result in await producer.send(messages) { _ = try result.get() }
    }
    await producer.close(deadline: .seconds(10))
}

private func upsertsAlone(_ replica: PostgresDatabase) async throws {
    for start in stride(from: 1, through: eventCount, by: 2_000) {
        let ids = (start..<(start + 2_000)).map { Int64($0) }
        let time = Timestamp(microseconds: 1_795_233_588_440_000)
        let columns = [
            BulkColumn("synced_id", .integer, ids.map { .integer($0) }),
            BulkColumn("name", .text, ids.map { .text("Villa number \($0)") }),
            BulkColumn("price", .decimal, ids.map { .decimal(ExactDecimal(unscaled: Int128($0), scale: 2)) }),
            BulkColumn("bedrooms", .integer, ids.map { .integer($0 % 7) }),
            BulkColumn("synced_account_id", .integer, ids.map { .integer($0 % 1_000) }),
            BulkColumn("synced_updated_at", .timestamp, ids.map { _ in .timestamp(time) }),
            BulkColumn("synced_version", .integer, ids.map { _ in .integer(3) }),
        ]
        let names = columns.map(\.name).joined(separator: ", ")
        let updates = columns.dropFirst().map { "\($0.name) = excluded.\($0.name)" }.joined(separator: ", ")
        try await execute(
            replica,
            """
            INSERT INTO rentals (\(raw: names)) SELECT \(raw: names) FROM \(replica.dialect.rows(columns, alias: "v"))
            ON CONFLICT (synced_id) DO UPDATE SET \(raw: updates)
            """
        )
    }
}

func execute(_ database: PostgresDatabase, _ statement: SQL) async throws {
    _ = try await database.transaction(.write) { try $0.run(statement) }
}

/// A replica of its own, with its table.
func withReplica<T: Sendable>(_ body: (PostgresDatabase) async throws -> T) async throws -> T {
    try await withDatabase { replica in
        try await execute(
            replica,
            """
            CREATE TABLE rentals (
              id bigserial PRIMARY KEY, synced_id bigint NOT NULL UNIQUE, synced_account_id bigint, name text,
              price numeric(10,2), bedrooms int, check_in_time int, synced_canceled_at timestamptz(6),
              synced_created_at timestamptz(6), synced_updated_at timestamptz(6), synced_version bigint,
              synced_data jsonb, created_at timestamptz(6) NOT NULL DEFAULT now(),
              updated_at timestamptz(6) NOT NULL DEFAULT now()
            )
            """
        )
        try await ConsumerSchema(database: replica).migrate()
        return try await body(replica)
    }
}
