import Dionysus
import DionysusProducer
import Synchronization

// Costs that must grow only with the work: each case small and large in one run.

extension Benchmark {
    static let growth = [
        growthMoved("growth-moved", SourceFixture.self), growthRetrying("growth-retrying", SourceFixture.self),
        growthParked, growthProcesses("growth-processes", SourceFixture.self), growthModels, growthOnePartition,
        growthTopics, growthWideCapture, growthRelayMemory, growthConsumerMemory,
        growthMoved("growth-sqlite-moved", SQLiteFixture.self),
        growthRetrying("growth-sqlite-retrying", SQLiteFixture.self), growthParkedSQLite,
        growthProcesses("growth-sqlite-processes", SQLiteFixture.self), growthModelsSQLite, growthWideCaptureSQLite,
        growthRelayMemorySQLite, growthConsumerMemorySQLite,
    ]

    /// Records that moved to another partition key, with earlier changes possibly in another lane.
    private static func growthMoved(_ name: String, _ source: (some RentalSource).Type) -> Benchmark {
        Benchmark(
            name: name,
            figures: [
                Figure(name: "batch of 2,000 among 20,000 rentals that moved to another partition key", unit: "ms"),
                Figure(name: "the same among 200,000", unit: "ms"),
                Figure(name: "large by small", unit: "times", targets: [.atMost(1.2)]),
                Figure(
                    name: "batch at the end of the large case, by one at its start",
                    unit: "times",
                    targets: [.atMost(1.2)]
                ),
            ],
            run: {
                let small = try await drainMoves(20_000, source)
                let large = try await drainMoves(200_000, source)
                return [small.whole, large.whole, large.whole / small.whole, large.end / large.start]
            }
        )
    }

    /// Failed rows that wait for their next attempt.
    private static func growthRetrying(_ name: String, _ source: (some RentalSource).Type) -> Benchmark {
        Benchmark(
            name: name,
            figures: latencyBeside("1,000,000 rows that wait for a retry"),
            run: {
                try await latencyBeside(source) { fixture in
                    try await fixture.failRows(1_000_000, retryAt: fixture.database.dialect.now(minus: -86_400))
                }
            }
        )
    }

    /// Parked rows, in an outbox whose lanes were never analyzed.
    private static let growthParked = Benchmark(
        name: "growth-parked",
        figures: latencyBeside("1,000,000 parked rows, the lanes never analyzed"),
        run: {
            try await latencyBeside(SourceFixture.self) { fixture in
                try await fixture.failRows(1_000_000, retryAt: "NULL")
                try await fixture.run(
                    "CREATE TEMPORARY TABLE lanes ON COMMIT DROP AS SELECT * FROM dionysus_lanes",
                    "TRUNCATE dionysus_lanes",
                    "INSERT INTO dionysus_lanes SELECT * FROM lanes"
                )
            }
        }
    )

    /// Parked rows in SQLite, which has no plans that statistics change.
    private static let growthParkedSQLite = Benchmark(
        name: "growth-sqlite-parked",
        figures: latencyBeside("1,000,000 parked rows"),
        run: { try await latencyBeside(SQLiteFixture.self) { try await $0.failRows(1_000_000, retryAt: "NULL") } }
    )

    /// Several relays that share the machine and one outbox.
    private static func growthProcesses(_ name: String, _ source: (some RentalSource).Type) -> Benchmark {
        Benchmark(
            name: name,
            figures: [
                Figure(name: "backlog of 200,000 rental_updated, one process", unit: "s"),
                Figure(name: "the same, two processes", unit: "s"),
                Figure(name: "the same, four processes", unit: "s"),
                Figure(name: "two by one", unit: "times", targets: [.atMost(1.1)]),
                Figure(name: "four by one", unit: "times", targets: [.atMost(1.1)]),
            ],
            run: {
                let rentals = 200_000
                return try await source.with(rentals: rentals) { fixture in
                    let database = try await fixture.address
                    var times: [Double] = []
                    for count in [1, 2, 4] {
                        try await fixture.fillOutbox()
                        let spent = try await source.withBrokerAddress { servers in
                            try await ContinuousClock()
                                .measure {
                                    try await withThrowingTaskGroup(of: Void.self) { group in
                                        for _ in 0..<count {
                                            group.addTask {
                                                _ = try await measureInOwnProcess([
                                                    "relay-process", "--database", database, "--broker", servers,
                                                    "--rows", "\(rentals)",
                                                ])
                                            }
                                        }
                                        try await group.waitForAll()
                                    }
                                }
                        }
                        times.append(seconds(spent))
                    }
                    return times + [times[1] / times[0], times[2] / times[0]]
                }
            }
        )
    }

    private static func latencyBeside(_ rows: String) -> [Figure] {
        [
            Figure(name: "one change to its acknowledgement, p50, nothing else in the outbox", unit: "ms"),
            Figure(name: "the same beside \(rows)", unit: "ms"),
            Figure(name: "large by small", unit: "times", targets: [.atMost(2)]),
        ]
    }

    /// - Parameter fill: Fills the outbox with rows that must not matter.
    /// - Returns: The time of a change without and with them, and the ratio.
    private static func latencyBeside<Fixture: RentalSource>(
        _ source: Fixture.Type,
        _ fill: (Fixture) async throws -> Void
    ) async throws -> [Double] {
        try await source.with(rentals: 1_000) { fixture in
            let small = try await fixture.latencyOfSingleChanges()
            try await fill(fixture)
            let large = try await fixture.latencyOfSingleChanges()
            return [small, large, large / small]
        }
    }

    /// The milliseconds of a batch after all rentals have moved: on average, at the start and at the end.
    private static func drainMoves(
        _ count: Int,
        _ source: (some RentalSource).Type
    ) async throws -> (whole: Double, start: Double, end: Double) {
        try await source.with(rentals: count) { fixture in
            try await fixture.run("UPDATE rentals SET account_id = 1 + account_id % 1000")
            try await fixture.run("ANALYZE dionysus_outboxes")
            let pace = Pace()
            try await source.withBroker { broker in try await fixture.relay(to: broker, onPublished: pace.add) }
            let batch = Double(fixture.settings.batchSize)
            return (
                pace.time(of: batch, from: 0.1, to: 0.9), pace.time(of: batch, from: 0.1, to: 0.3),
                pace.time(of: batch, from: 0.7, to: 0.9)
            )
        }
    }
}

extension RentalSource {
    /// Adds failed rows to the outbox, each of a different account.
    fileprivate func failRows(_ count: Int, retryAt: SQL) async throws {
        let now = database.dialect.now
        let id: SQL = "CAST(1000000 + i AS text)"
        try await run(
            """
            \(series(count))
            INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, partition_key, failed_at, retry_at,
              error_class, error_message, attempts, created_at, updated_at)
            SELECT 'Rental', \(id), 'rental_updated', 'v3_rentals', \(id), \(now), \(retryAt), 'application',
              'it can''t be serialized', 3, \(now), \(now)
            FROM series
            """
        )
        try await settle(database)
    }

    /// The median time from commit to acknowledgement in milliseconds, for changes one after another.
    fileprivate func latencyOfSingleChanges() async throws -> Double {
        try await Self.withBroker { broker in
            let published = Arrivals()
            let acknowledged = Mutex(Timestamp.now)
            let relay = RelayService(
                registry,
                database: database,
                broker: broker,
                settings: settings,
                logger: quiet,
                onPublished: { batch in
                    acknowledged.withLock { $0 = batch.acknowledgedAt }
                    published.add(batch.changes.count)
                }
            )
            return try await withServices(relay) {
                var times: [Double] = []
                for id in 1...60 {
                    try await run("UPDATE rentals SET price = price + 1 WHERE id = \(id)")
                    let committed = Timestamp.now
                    await published.wait(for: 1)
                    times.append(Double(acknowledged.withLock { $0 }.microseconds - committed.microseconds) / 1_000)
                }
                // The first ones run before the relay has connected.
                return times.dropFirst(10).map { max($0, 0) }.median
            }
        }
    }
}
