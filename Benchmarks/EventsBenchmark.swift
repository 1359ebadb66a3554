import Dionysus
import DionysusEvents
import DionysusPostgres
import DionysusProducer

extension Benchmark {
    /// Streams of events: appending, loading, and rebuilding a read model.
    static let events = [eventsAppend, eventsSingle, eventsLoad, eventsRebuild]

    private static let eventsAppend = Benchmark(
        name: "events-append",
        figures: [
            Figure(name: "appends of 100 events, captured, one writer", unit: "events/s", targets: [.atLeast(20_000)]),
            Figure(name: "floor: bare inserts of 100 rows into a table with the same indexes", unit: "events/s"),
        ],
        run: {
            try await EventsFixture.with { fixture in
                let count = 300
                let appends = try await fixture.rate(of: count * 100) {
                    for number in 0..<count {
                        let events = (0..<100).map { NewEvent(BalanceChanged(amount: $0)) }
                        let stream = StreamName("account", "\(number % 50)")
                        try await EventsFixture.store.append(events, to: stream, on: fixture.database)
                    }
                }
                let floor = try await fixture.rate(of: count * 100) {
                    for number in 0..<count { try await fixture.insertBare(100, number) }
                }
                return [appends, floor]
            }
        }
    )

    private static let eventsSingle = Benchmark(
        name: "events-single",
        figures: [
            Figure(name: "an append of one event to a new stream, captured, in its own transaction", unit: "ms"),
            Figure(name: "an append of one event with an expected position to a stream of 100, captured", unit: "ms"),
            Figure(name: "a bare insert into a table with the same indexes, not captured", unit: "ms"),
            Figure(name: "the append to a new stream, by the bare insert", unit: "times", targets: [.atMost(1.5)]),
        ],
        run: {
            try await EventsFixture.with { fixture in
                let events = (0..<100).map { NewEvent(BalanceChanged(amount: $0)) }
                let store = EventsFixture.store
                let long = StreamName("account", "long")
                try await store.append(events, to: long, on: fixture.database)
                var times: [[Double]] = [[], [], []]
                // Alternately, so that other load affects all of them.
                for number in 0..<3_000 {
                    let kind = number % 3
                    let event = [NewEvent(BalanceChanged(amount: number))]
                    let time = try await ContinuousClock()
                        .measure {
                            switch kind {
                            case 0:
                                let stream = StreamName("account", "new-\(number)")
                                try await store.append(event, to: stream, expecting: .none, on: fixture.database)
                            case 1:
                                let position = Int64(100 + number / 3)
                                try await store.append(
                                    event,
                                    to: long,
                                    expecting: .position(position),
                                    on: fixture.database
                                )
                            default: try await fixture.insertBare(1, number)
                            }
                        }
                    if number >= 300 { times[kind].append(seconds(time) * 1_000) }
                }
                let medians = times.map(\.median)
                return medians + [medians[0] / medians[2]]
            }
        }
    )

    private static let eventsLoad = Benchmark(
        name: "events-load",
        figures: [
            Figure(name: "loading a stream of 1,000 events", unit: "ms", targets: [.atMost(5)]),
            Figure(name: "floor: the query alone", unit: "ms"),
        ],
        run: {
            try await EventsFixture.with { fixture in
                try await fixture.fill(100_000, streams: 100)
                let stream = StreamName("account", "7")
                var (loads, queries): ([Double], [Double]) = ([], [])
                for _ in 0..<50 {
                    let load = try await ContinuousClock()
                        .measure { _ = try await EventsFixture.store.read(stream, on: fixture.database) }
                    let query = try await ContinuousClock()
                        .measure {
                            try await fixture.run(
                                """
                                SELECT id, stream, position, sequence, type, version, data, metadata, created_at
                                FROM dionysus_stream_events WHERE stream = \(stream.description) ORDER BY position
                                """
                            )
                        }
                    loads.append(seconds(load) * 1_000)
                    queries.append(seconds(query) * 1_000)
                }
                return [loads.median, queries.median]
            }
        }
    )

    private static let eventsRebuild = Benchmark(
        name: "events-rebuild",
        figures: [
            Figure(
                name: "rebuild of a read model from 1,000,000 events of 10,000 streams",
                unit: "events/s",
                targets: [.atLeast(100_000)]
            ),
            Figure(name: "floor: reading and decoding them", unit: "events/s"),
            Figure(name: "numbering them for the global order", unit: "events/s"),
        ],
        isLong: true,
        run: {
            try await EventsFixture.with { fixture in
                let count = 1_000_000
                try await fixture.fill(count, streams: 10_000)
                let numbering = try await fixture.rate(of: count) {
                    try await EventOrder().extend(on: fixture.database)
                }
                try await fixture.database.outsideTransaction("VACUUM ANALYZE dionysus_stream_events")
                let projector = Projector(BalanceSheet(), EventsFixture.store)
                try await fixture.database.transaction(.write) { try projector.create(in: &$0) }
                let rebuild = try await fixture.rate(of: count) {
                    _ = try await ProjectionRebuild(of: projector, on: fixture.database).run()
                }
                let reader = EventReader("floor", EventsFixture.store, fixture.database, batchSize: 5_000) { _, _ in }
                let reading = try await fixture.rate(of: count) { try await reader.catchUp() }
                return [rebuild, reading, numbering]
            }
        }
    )
}

private struct BalanceChanged: Event {
    static let eventName = "BalanceChanged"
    var amount: Int
}

private struct BalanceSheet: Projection {
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
private struct EventsFixture: Sendable {
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

    func rate(of count: Int, _ body: () async throws -> Void) async throws -> Double {
        try await database.outsideTransaction("CHECKPOINT")
        return Double(count) / seconds(try await ContinuousClock().measure { try await body() })
    }
}
