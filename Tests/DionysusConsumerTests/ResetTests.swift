import Dionysus
import DionysusConsumer
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// Moving a consumer to other places in its topics.
@Suite struct ResetTests {
    private static let rentals: SQL = """
        SELECT synced_id, name, synced_version, synced_updated_at FROM rentals ORDER BY synced_id
        """
    private static let tombstones: SQL = """
        SELECT record_id, version, record_time, topic, "partition", "offset", written_at FROM dionysus_tombstones
        ORDER BY record_id
        """

    /// Records that are created, changed, destroyed and created again, with versions, with times, and with neither.
    private static let history: [WireMessage] = [
        .rental(.created, 1, name: "one", version: 1), .rental(.updated, 1, name: "one again", version: 2),
        .rental(.created, 2, name: "two", version: 1), .rental(.destroyed, 2, version: 2),
        .rental(.created, 3, name: "three", version: 1), .rental(.destroyed, 3, version: 2),
        .rental(.created, 3, name: "three again", version: 3),
        .rental(.created, 4, name: "four", updatedAt: "2026-01-01T00:00:00Z"),
        .rental(.destroyed, 4, updatedAt: "2026-01-02T00:00:00Z"),
        .rental(.created, 4, name: "four again", updatedAt: "2026-01-03T00:00:00Z"),
        .rental(.created, 5, name: "five"), .rental(.destroyed, 5), .rental(.created, 5, name: "five again"),
        .rental(.created, 6, name: "six"), .rental(.destroyed, 6),
        .rental(.created, 7, name: "seven", partition: 1, version: 7),
        .rental(.updated, 7, name: "an older seven", partition: 2, version: 6),
    ]

    private static func positions(_ replica: ReplicaHarness, _ mirror: Mirror = Mirror()) -> ConsumerPositions {
        ConsumerPositions(mirror, database: replica.database, broker: replica.broker, settings: .forTests)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `replaying a topic from its beginning gives the same replica`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(Self.history)
            try await replica.consume()
            let before = (try await replica.rows(Self.rentals), try await replica.rows(Self.tombstones))
            #expect(before.0.count == 5 && before.1.count == 5)
            for size in [2_000, 1, 3] {
                let resets = try await Self.positions(replica).reset("v3_rentals", to: .earliest)
                #expect(resets.map(\.to) == [0, 0, 0, 0])
                #expect(resets.map(\.from) == [15, 1, 1, nil] || resets.map(\.from) == [15, 1, 1, 0])
                var settings = ConsumerSettings.forTests
                settings.batchSize = size
                try await replica.consume(settings: settings)
                #expect(try await replica.rows(Self.rentals) == before.0)
                #expect(try await replica.rows(Self.tombstones) == before.1)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what the replica had lost comes back with a replay`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...20).map { .rental(.created, $0, name: "rental \($0)", version: 1) })
            try await replica.consume()
            let before = try await replica.rows("SELECT synced_id, name FROM rentals ORDER BY synced_id")
            _ = try await replica.database.transaction(.write) {
                try $0.run("DELETE FROM rentals WHERE synced_id > 10")
            }
            try await Self.positions(replica).reset("v3_rentals", partition: 0, to: .offset(5))
            try await replica.consume()
            let after = try await replica.rows("SELECT synced_id, name FROM rentals ORDER BY synced_id")
            #expect(after == before)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic with an event log is replayed only if the log forgets, and the reset says so`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let mirror = Mirror(rentals: ConsumerTopic("rentals", accepting: .any).eventLog())
            try await replica.publish((1...6).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(mirror)
            let before = try await replica.rows(Self.rentals)
            try await replica.define("DELETE FROM rentals")
            let positions = Self.positions(replica, mirror)
            let kept = try await positions.reset("v3_rentals", to: .earliest)
            #expect(kept.map(\.eventsKept).reduce(0, +) == 6 && kept.allSatisfy { $0.eventsForgotten == 0 })
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.rentals) == [])

            let half = try await positions.reset("v3_rentals", partition: 0, to: .offset(4), forgetsEvents: true)
            #expect(half.map(\.eventsForgotten) == [2] && half.map(\.eventsKept) == [0])
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.rentals) == Array(before.suffix(2)))
            let all = try await positions.reset("v3_rentals", to: .earliest, forgetsEvents: true)
            #expect(all.map(\.eventsForgotten).reduce(0, +) == 6)
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.rentals) == before)
            #expect(try await positions.reset("v3_rentals", to: .latest).allSatisfy { $0.eventsKept == 0 })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `virtual lanes that are ahead of their partition begin anew after a reset`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let consumed = Mutex<Set<Int64>>([])
            let mirror = Mirror(
                rentals: ConsumerTopic("rentals").lanes(4),
                onConsume: { event in consumed.withLock { _ = $0.insert(event.offset) } }
            )
            try await replica.publish((0..<40).map { .rental(.created, $0, name: "rental \($0)", version: 1) })
            try await replica.consume(mirror)
            let before = try await replica.rows(Self.rentals)
            // A lane finishes messages before the others have finished earlier ones.
            _ = try await replica.database.transaction(.write) {
                try $0.run("UPDATE dionysus_lane_offsets SET next_offset = 45 WHERE lane = 2")
            }
            for offset in [0, 25] as [Int64] {
                consumed.withLock { $0 = [] }
                try await Self.positions(replica, mirror).reset("v3_rentals", partition: 0, to: .offset(offset))
                #expect(try await replica.rows("SELECT count(*) FROM dionysus_lane_offsets") == ["0"])
                try await replica.consume(mirror)
                #expect(consumed.withLock { $0 } == Set(offset..<40))
                #expect(try await replica.rows(Self.rentals) == before)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a reset moves one partition or all, to the beginning, the end, an offset or a time`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            func messages(_ ids: ClosedRange<Int>) -> [WireMessage] {
                ids.map { .rental(.created, $0, name: "rental \($0)", partition: Int32($0 % 2)) }
            }
            try await replica.publish(messages(0...5))
            let time = Timestamp.now
            try await replica.publish(messages(6...9))
            let positions = Self.positions(replica)
            func reset(_ place: StartPosition, _ partition: Int32? = nil) async throws -> [Int64] {
                try await positions.reset("v3_rentals", partition: partition, to: place).map(\.to)
            }
            #expect(try await reset(.latest) == [5, 5, 0, 0])
            try await replica.consume()
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["0"])
            #expect(try await reset(.earliest) == [0, 0, 0, 0])
            #expect(try await reset(.time(time)) == [3, 3, 0, 0])
            #expect(try await reset(.time(.now + 3_600)) == [5, 5, 0, 0])
            #expect(try await reset(.offset(4), 1) == [4])
            try await replica.consume()
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == ["9"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a reset to what isn't there is refused, and moves nothing`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume()
            let positions = Self.positions(replica)
            let offset = await #expect(throws: DionysusError.self) {
                try await positions.reset("v3_rentals", to: .offset(2))
            }
            #expect(offset?.code == .offsetOutOfRange)
            #expect(offset?.message.contains("v3_rentals[1] holds 0 up to 0") == true)
            #expect(offset?.message.contains("v3_rentals[0]") == false)
            let partition = await #expect(throws: DionysusError.self) {
                try await positions.reset("v3_rentals", partition: 4, to: .earliest)
            }
            #expect(partition?.code == .unknownTopic)
            let undeclared = await #expect(throws: DionysusError.self) { try await positions.reset("v3_ghosts") }
            #expect(undeclared?.code == .unknownTopic)
            #expect(undeclared?.description.contains("v3_accounts, v3_bookings, v3_rentals") == true)
            let missing = await #expect(throws: DionysusError.self) { try await positions.reset("v3_bookings") }
            #expect(missing?.code == .unknownTopic)
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets WHERE next_offset > 0") == ["3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `failures at the new place or behind it are forgotten, because their messages come again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let bad = WireMessage("v3_rentals", value: "nonsense")
            try await replica.publish([bad, .rental(.created, 1, name: "one"), bad, bad])
            try await replica.consume()
            let offsets: SQL = "SELECT \"offset\" FROM dionysus_failures ORDER BY \"offset\""
            #expect(try await replica.rows(offsets) == ["0", "2", "3"])
            let resets = try await Self.positions(replica).reset("v3_rentals", partition: 0, to: .offset(3))
            #expect(resets.map(\.failuresForgotten) == [1])
            #expect(try await replica.rows(offsets) == ["0", "2"])
            try await replica.consume()
            #expect(try await replica.rows(offsets) == ["0", "2", "3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a reset is refused while a consumer of the group runs, and not after it has stopped`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "one"))
            let positions = Self.positions(replica)
            try await Self.whileConsuming(replica) {
                let running = try await positions.runningConsumers()
                #expect(running.count == 1)
                let process = try #require(running.first?.process)
                let refused = await #expect(throws: DionysusError.self) { try await positions.reset("v3_rentals") }
                #expect(refused?.code == .conflict)
                #expect(refused?.message.contains(process) == true)
            }
            #expect(try await positions.runningConsumers() == [])
            #expect(try await positions.reset("v3_rentals").map(\.from).first == 1)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer that was killed is forgotten after ten seconds`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "one"))
            try await replica.database.transaction(.write) { transaction in
                let dialect = transaction.dialect
                // The one that runs is seen again in an hour, however slow this is.
                for (member, age) in [("killed", 11.0), ("alive", -3_600.0)] {
                    try transaction.run(
                        """
                        INSERT INTO dionysus_consumers ("group", member, process, started_at, seen_at)
                        VALUES ('dionysus_consumer_group_for_test', \(member), \(member), \(dialect.now(minus: 60)),
                          \(dialect.now(minus: age)))
                        """
                    )
                }
            }
            #expect(try await Self.positions(replica).runningConsumers().map(\.process) == ["alive"])
            // A consumer that starts takes away what those that were killed have left.
            try await replica.consume()
            #expect(try await replica.rows("SELECT member FROM dionysus_consumers") == ["alive"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer whose offsets were moved by force goes on at the new place`(_ kind: TestDatabaseKind) async throws
    {
        try await ReplicaHarness.run(kind) { replica in
            let (offsets, continuation) = AsyncStream.makeStream(of: Int64.self)
            let mirror = Mirror(onConsume: { continuation.yield($0.offset) })
            try await replica.publish((0...4).map { .rental(.created, $0, name: "rental \($0)") })
            try await Self.whileConsuming(replica, mirror) {
                var seen = offsets.makeAsyncIterator()
                var first: Set<Int64> = []
                while first.count < 5, let offset = await seen.next() { first.insert(offset) }
                let positions = Self.positions(replica, mirror)
                try await positions.reset("v3_rentals", partition: 0, to: .offset(2), force: true)
                // It finds out with the next message, of which it applies nothing from its old place.
                try await replica.publish(.rental(.created, 5, name: "rental 5"))
                var second: Set<Int64> = []
                while second.count < 4, let offset = await seen.next() { second.insert(offset) }
                #expect(second == [2, 3, 4, 5])
            }
        }
    }

    /// Runs a body beside a consumer, from when it runs to its graceful end.
    private static func whileConsuming(
        _ replica: ReplicaHarness,
        _ mirror: Mirror = Mirror(),
        _ body: @Sendable () async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = ConsumerService(
            mirror,
            database: replica.database,
            broker: replica.broker,
            settings: .forTests,
            logger: logger
        )
        let group = ServiceGroup(services: [service], logger: logger)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            while try await replica.rows("SELECT next_offset FROM dionysus_offsets WHERE next_offset > 0").isEmpty {
                try await ContinuousClock().sleep(for: .milliseconds(20))
            }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
