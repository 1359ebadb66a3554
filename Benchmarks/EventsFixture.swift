import Dionysus
import DionysusEvents
import DionysusPostgres
import DionysusProducer

struct BalanceChanged: Event {
    static let eventName = "BalanceChanged"
    var amount: Int
}

struct BalanceSheet: Projection {
    let name = "balance_sheet"
    let tables = ["balance_sheet"]

    func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws {
        try transaction.run(
            "CREATE TABLE \(identifier: tables["balance_sheet"]) (id text PRIMARY KEY, balance bigint NOT NULL)"
        )
    }

    func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws {
        var changes: [String: Int] = [:]
        for event in events { changes[event.stream.id, default: 0] += (event.event as? BalanceChanged)?.amount ?? 0 }
        let columns = [
            BulkColumn("id", .text, changes.map { .text($0.key) }),
            BulkColumn("amount", .integer, changes.map { .integer(Int64($0.value)) }),
        ]
        try transaction.run(
            """
            INSERT INTO \(identifier: tables["balance_sheet"]) AS b (id, balance)
            SELECT v.id, v.amount FROM \(transaction.dialect.rows(columns, alias: "v"))
            ON CONFLICT (id) DO UPDATE SET balance = b.balance + excluded.balance
            """
        )
    }
}

private struct BalanceEvents: Producer {
    var namespaces: [Namespace] {
        Namespace("bank", serializers: .streamEvents) { Topic.streamEvents("events") }
    }
}

/// A new database with captured streams.
struct EventsFixture: Sendable {
    static let store = EventStore(EventTypes(BalanceChanged.self))

    let database: PostgresDatabase

    static func with<T: Sendable>(_ body: (EventsFixture) async throws -> T) async throws -> T {
        try await withDatabase { database in
            try await database.transaction(.write) { try EventSchema.create(in: &$0) }
            try await OutboxSchema(database: database, registry: Registry(BalanceEvents())).migrate(lanes: 4)
            let fixture = EventsFixture(database: database)
            try await fixture.run("CREATE TABLE bare (LIKE dionysus_stream_events INCLUDING ALL)")
            return try await body(fixture)
        }
    }

    func run(_ statement: SQL) async throws {
        _ = try await database.transaction(.write) { try $0.run(statement) }
    }

    /// Inserts rows of a stream of their own.
    func insertBare(_ count: Int, _ number: Int) async throws {
        let columns = [
            BulkColumn("n", .integer, (1...count).map { .integer(Int64($0)) }),
            BulkColumn("id", .uuid, (1...count).map { _ in .uuid(.newEventID()) }),
            BulkColumn("data", .json, (1...count).map { .json("{\"amount\":\($0)}") }),
        ]
        let now = database.dialect.now
        try await run(
            """
            INSERT INTO bare (id, stream, position, type, version, data, metadata, created_at)
            SELECT v.id, \("account-\(number)"), v.n, 'BalanceChanged', 1, v.data, '{}', \(now)
            FROM \(database.dialect.rows(columns, alias: "v"))
            """
        )
    }

    /// Fills the table without capture.
    func fill(_ count: Int, streams: Int) async throws {
        _ = try await database.transaction(.write) { transaction in
            try transaction.suppressCapture()
            try transaction.run(
                """
                INSERT INTO dionysus_stream_events (id, stream, position, type, version, data, metadata, created_at)
                SELECT gen_random_uuid(), 'account-' || (i % \(streams)), 1 + i / \(streams), 'BalanceChanged', 1,
                  jsonb_build_object('amount', i % 100), '{}', clock_timestamp()
                FROM generate_series(0::bigint, \(count - 1)) AS i
                """
            )
        }
        try await database.outsideTransaction("VACUUM ANALYZE dionysus_stream_events")
    }

    /// Appends single events, each with its read model, from several writers until the task is cancelled.
    /// - Returns: How many milliseconds each append took.
    func appendInline(with projector: Projector, perSecond rate: Int, writers: Int = 8) async throws -> [Double] {
        try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<writers {
                group.addTask { try await appendInline(with: projector, every: .seconds(1) * writers / rate) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func appendInline(with projector: Projector, every interval: Duration) async throws -> [Double] {
        let store = Self.store.handlingInline(projector.handler)
        let (clock, start) = (ContinuousClock(), ContinuousClock.now)
        var latencies: [Double] = []
        while !Task.isCancelled {
            let due = start + interval * latencies.count
            if due > clock.now { try? await Task.sleep(until: due, clock: clock) }
            let stream = StreamName("account", "\(Int.random(in: 0..<10_000))")
            let begin = clock.now
            // A task of its own isn't cancelled, so that every append is measured to its end.
            let append = Task {
                try await store.append([NewEvent(BalanceChanged(amount: 1))], to: stream, on: database)
            }
            _ = try await append.value
            latencies.append(seconds(begin.duration(to: clock.now)) * 1_000)
        }
        return latencies
    }

    /// How many balances aren't those that the events make.
    func differences() async throws -> Int64 {
        try await database.transaction(.snapshot) { transaction in
            let rows = try transaction.run(
                """
                SELECT count(*) FROM (
                  SELECT substr(stream, 9) AS id, sum((data->>'amount')::bigint) AS balance
                  FROM dionysus_stream_events GROUP BY stream
                ) AS e FULL JOIN balance_sheet AS b ON b.id = e.id WHERE b.balance IS DISTINCT FROM e.balance
                """
            )
            return try rows.first?.integer(0) ?? 0
        }
    }

    func rate(of count: Int, _ body: () async throws -> Void) async throws -> Double {
        try await database.outsideTransaction("CHECKPOINT")
        return Double(count) / seconds(try await ContinuousClock().measure { try await body() })
    }
}
