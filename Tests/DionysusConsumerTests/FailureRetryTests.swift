import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct FailureRetryTests {
    private static let names: SQL = "SELECT synced_id, name FROM rentals WHERE synced_id < 1000000 ORDER BY synced_id"
    private static let waiting = Mirror.rentals { $0.onFailure(.record(laterMessages: .wait)) }
    /// Every message is written by itself; in a batch, what a later one changes again is never written.
    private static let oneByOne: ConsumerSettings = {
        var settings = ConsumerSettings.forTests
        settings.batchSize = 1
        return settings
    }()

    @Test(arguments: TestDatabaseKind.available)
    func `a retry applies the message once the cause is mended, and removes the failure`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish(.rental(.created, 1, name: "sea", version: 1))
            try await replica.consume()
            let failures = replica.failures()
            let failure = try #require(try await failures.list().first)
            #expect(failure.state == .failed && failure.errorClass == "constraint" && failure.key == "Rental:1")
            try await replica.release()
            let results = try await failures.retry([failure.id])
            #expect(results.map(\.outcome) == [.applied])
            #expect(try await replica.rows(Self.names) == ["1 sea"])
            #expect(try await replica.rows("SELECT synced_version FROM rentals") == ["1"])
            #expect(try await failures.list().isEmpty)
            #expect(try await failures.retry([failure.id]).map(\.outcome) == [.notFound])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message that fails again stays, with one attempt more and the new error`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary()
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.handling(diary.handler) }
            try await replica.take(name: "sea")
            try await replica.publish(.rental(.created, 1, name: "sea"))
            try await replica.consume(mirror)
            let failures = replica.failures(mirror)
            let id = try #require(try await failures.list().first).id
            let again = try await failures.retry([id])
            #expect(again.map(\.outcome) == [.failed])
            #expect(again.first?.error?.contains("v3_rentals[0] offset 0") == true)
            try await replica.release()
            diary.refuse(0)
            try await failures.retry([id])
            let failure = try #require(try await failures.failure(id))
            #expect(failure.attempts == 3)
            #expect(failure.errorClass == "application" && failure.errorDetails?.contains("Refusal") == true)
            #expect(failure.retriedAt != nil)
            #expect(try await replica.rows(Self.names) == [])
            diary.mend()
            try await failures.retry([id])
            #expect(try await replica.rows(Self.names) == ["1 sea"])
            #expect(try await Diary.offsets(in: replica) == ["0"])
        }
    }

    /// A message that fails, and later ones of its key and of others.
    private static let history: [WireMessage] = [
        .rental(.created, 1, name: "sea", version: 1), .rental(.created, 2, name: "a", version: 2),
        .rental(.updated, 1, name: "hill", version: 3), .rental(.updated, 2, name: "b", version: 4),
        .rental(.updated, 1, name: "lake", version: 5),
    ]

    @Test(arguments: TestDatabaseKind.available, [1, 2, 100])
    func `later messages of a key wait behind a recorded one, the others go on, and a retry applies them in order`(
        _ kind: TestDatabaseKind,
        batchSize: Int
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [0])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.onFailure(.record(laterMessages: .wait)).handling(diary.handler) }
            var settings = ConsumerSettings.forTests
            settings.batchSize = batchSize
            try await replica.publish(Self.history)
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.rows(Self.names) == ["2 b"])
            #expect(
                try await replica.recorded() == [
                    "0 failed 1 application", "2 waiting 0 waiting", "4 waiting 0 waiting",
                ]
            )
            let failures = replica.failures(mirror)
            let ids = try await failures.list().map(\.id)
            try #require(ids.count == 3)
            diary.mend()

            let refused = try await failures.retry([ids[1]])
            #expect(refused.map(\.outcome) == [.waiting] && refused.map(\.behind) == [ids[0]])
            let results = try await failures.retry([ids[0]])
            #expect(results.map(\.outcome) == [.applied] && results.map(\.released) == [2])
            #expect(try await replica.rows(Self.names) == ["1 lake", "2 b"])
            #expect(try await Diary.offsets(in: replica) == ["1", "3", "0", "2", "4"])
            #expect(try await failures.list().isEmpty)

            try await replica.publish(.rental(.updated, 1, name: "moor", version: 6))
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.rows(Self.names) == ["1 moor", "2 b"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `messages wait behind one of their batch that can't even be read`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var unreadable = WireMessage("v3_rentals", key: "Rental:1", value: "not JSON")
            unreadable.key = "Rental:1"
            let noKey = WireMessage("v3_rentals", value: "not JSON either")
            var after = WireMessage.rental(.created, 3, name: "without key")
            after.key = nil
            try await replica.publish([
                .rental(.created, 1, name: "first", version: 1), unreadable, noKey,
                .rental(.updated, 1, name: "second", version: 2), .rental(.created, 2, name: "other"), after,
            ])
            try await replica.consume(Self.waiting)
            #expect(try await replica.rows(Self.names) == ["1 first", "2 other", "3 without key"])
            #expect(
                try await replica.recorded() == ["1 failed 1 malformed", "2 failed 1 malformed", "3 waiting 0 waiting"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `later messages of a key pass by default, and the failed one is outdated then`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish(Self.history)
            try await replica.consume(settings: Self.oneByOne)
            #expect(try await replica.rows(Self.names) == ["1 lake", "2 b"])
            #expect(try await replica.recorded() == ["0 failed 1 constraint"])
            try await replica.release()
            #expect(try await replica.failures().retryAll().map(\.outcome) == [.applied])
            #expect(try await replica.rows(Self.names) == ["1 lake", "2 b"])
            #expect(try await replica.recorded() == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `of retries of one failure at the same time, one applies it`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [0])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.onFailure(.record(laterMessages: .wait)).handling(diary.handler) }
            try await replica.publish(Self.history)
            try await replica.consume(mirror)
            diary.mend()
            let failures = replica.failures(mirror)
            let id = try #require(try await failures.list().first).id
            let outcomes = try await withThrowingTaskGroup(of: [FailureRetry].self) { tasks in
                for _ in 1...6 { tasks.addTask { try await failures.retry([id]) } }
                return try await tasks.reduce(into: []) { $0 += $1.map(\.outcome) }
            }
            #expect(outcomes.count { $0 == .applied } == 1)
            #expect(outcomes.count { $0 == .notFound } == 5)
            #expect(try await Diary.offsets(in: replica) == ["1", "3", "0", "2", "4"])
            #expect(try await failures.list().isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available, [1, 4])
    func `retries beside a running consumer keep the order of every key`(
        _ kind: TestDatabaseKind,
        lanes: Int
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [0, 1, 30])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals {
                $0.onFailure(.record(laterMessages: .wait)).handling(diary.handler).batchTransformation(nil)
                    .lanes(lanes)
            }
            var settings = ConsumerSettings.forTests
            settings.batchSize = 3
            let count = 240
            try await replica.publish(
                (0..<count).map { .rental(.updated, $0 % 3, name: "\($0 % 3) \($0)", version: Int64($0)) }
            )
            let failures = replica.failures(mirror)
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { [settings] in try await replica.consume(mirror, settings: settings) }
                tasks.addTask {
                    while try await failures.list(FailureFilter(limit: 1)).isEmpty {}
                    diary.mend()
                    for _ in 0..<25 { try await failures.retryAll() }
                }
                try await tasks.waitForAll()
            }
            diary.mend()
            try await failures.retryAll()
            #expect(try await failures.list().isEmpty)
            let offsets = try await Diary.offsets(in: replica).compactMap { Int($0) }
            #expect(offsets.sorted() == Array(0..<count))
            for id in 0..<3 {
                let own = offsets.filter { $0 % 3 == id }
                #expect(own == own.sorted())
            }
            #expect(try await replica.rows(Self.names) == ["0 0 237", "1 1 238", "2 2 239"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `all failures of a topic are retried once each, and what waits comes with what it waits for`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [0, 1])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.onFailure(.record(laterMessages: .wait)).handling(diary.handler) }
            try await replica.publish(Self.history + [WireMessage("v3_bookings", key: "Booking:1", value: "not JSON")])
            try await replica.consume(mirror)
            #expect(try await replica.recorded().count == 6)
            let failures = replica.failures(mirror)
            let failed = try await failures.retryAll(topic: "v3_rentals")
            #expect(failed.map(\.outcome) == [.failed, .failed])
            diary.mend()
            diary.refuse(1)
            let some = try await failures.retryAll(topic: "v3_rentals")
            #expect(some.map(\.outcome) == [.applied, .failed] && some.map(\.released) == [2, 0])
            diary.mend()
            let rest = try await failures.retryAll().map(\.outcome)
            #expect(rest.count == 2 && Set(rest) == [.applied, .failed])
            #expect(try await replica.recorded() == ["0 failed 2 malformed"])
            #expect(try await replica.rows(Self.names) == ["1 lake", "2 b"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what fails among those that waited holds the ones behind it`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [0])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.onFailure(.record(laterMessages: .wait)).handling(diary.handler) }
            try await replica.publish(Self.history)
            try await replica.consume(mirror)
            diary.mend()
            diary.refuse(2)
            let failures = replica.failures(mirror)
            let ids = try await failures.list().map(\.id)
            try #require(ids.count == 3)
            let results = try await failures.retry([ids[0]])
            #expect(results.map(\.outcome) == [.applied] && results.map(\.stoppedAt) == [ids[1]])
            #expect(try await replica.recorded() == ["2 failed 1 application", "4 waiting 0 waiting"])
            #expect(try await failures.retry([ids[2]]).map(\.outcome) == [.waiting])
            #expect(try await replica.rows(Self.names) == ["1 sea", "2 b"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what waited behind a deleted failure stays, and is applied when its first is retried`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish(Self.history)
            try await replica.consume(Self.waiting, settings: Self.oneByOne)
            let failures = replica.failures(Self.waiting)
            let ids = try await failures.list().map(\.id)
            try #require(ids.count == 3)
            #expect(try await failures.delete([ids[0], 999]) == [ids[0]])
            #expect(try await replica.recorded() == ["2 waiting 0 waiting", "4 waiting 0 waiting"])
            let results = try await failures.retryAll()
            #expect(results.map(\.outcome) == [.applied] && results.map(\.released) == [1])
            #expect(try await replica.rows(Self.names) == ["1 lake", "2 b"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message that is delivered again is decided anew`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish(Self.history)
            for _ in 1...2 {
                try await replica.consume(Self.waiting, settings: Self.oneByOne)
                #expect(
                    try await replica.recorded() == [
                        "0 failed 1 constraint", "2 waiting 0 waiting", "4 waiting 0 waiting",
                    ]
                )
                #expect(try await replica.rows(Self.names) == ["2 b"])
                try await replica.execute("DELETE FROM dionysus_offsets")
            }
            try await replica.release()
            try await replica.consume(Self.waiting, settings: Self.oneByOne)
            #expect(try await replica.recorded() == [])
            #expect(try await replica.rows(Self.names) == ["1 lake", "2 b"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a partition's keys don't wait for those of another`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish(.rental(.created, 1, name: "sea", version: 1))
            try await replica.consume(Self.waiting, settings: Self.oneByOne)
            try await replica.publish(.rental(.updated, 1, name: "hill", partition: 1, version: 2))
            try await replica.consume(Self.waiting, settings: Self.oneByOne)
            #expect(try await replica.rows(Self.names) == ["1 hill"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `failures are listed by filters and pages`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            try await replica.publish(
                Self.history + [
                    WireMessage("v3_rentals", key: "Rental:9", value: "x"), WireMessage("v3_bookings", value: "y"),
                ]
            )
            try await replica.consume(Self.waiting, settings: Self.oneByOne)
            let failures = replica.failures()
            let list = { (filter: FailureFilter) in try await failures.list(filter).map(\.offset) }
            let all = try await failures.list()
            #expect(all.count == 5 && all.map(\.id) == all.map(\.id).sorted())
            #expect(try await list(FailureFilter(topic: "v3_bookings")) == [0])
            #expect(try await list(FailureFilter(state: .waiting)) == [2, 4])
            #expect(try await list(FailureFilter(state: .failed, topic: "v3_rentals")) == [0, 5])
            #expect(try await list(FailureFilter(key: "Rental:1")) == [0, 2, 4])
            #expect(try await list(FailureFilter(errorClass: "constraint")) == [0])
            let first = try await failures.list(FailureFilter(limit: 3))
            let rest = try await failures.list(FailureFilter(after: first.last?.id, limit: 3))
            #expect((first + rest).map(\.id) == all.map(\.id))
            var other = ConsumerSettings.forTests
            other.groupID = "another"
            let foreign = replica.failures(settings: other)
            #expect(try await foreign.list().isEmpty)
            #expect(try await foreign.retry(all.map(\.id)).allSatisfy { $0.outcome == .notFound })
            #expect(try await foreign.delete(all.map(\.id)).isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `failures of a database that was not migrated are one clear error`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await ConsumerSchema(database: replica.database).uninstall()
            let error = await #expect(throws: DionysusError.self) { try await replica.failures().list() }
            #expect(error?.code == .declaration && error?.advice == "run migrate first")
        }
    }
}
