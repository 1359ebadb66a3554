import Dionysus
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// What a genesis run publishes, and to where.
@Suite struct GenesisTests {
    @Test(
        "a run publishes what exists: visible records as updated, soft-deleted ones as destroyed",
        arguments: TestDatabaseKind.available
    )
    func events(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(25)
            try await harness.write(
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z' WHERE id = 7",
                "DELETE FROM dionysus_outboxes"
            )
            let started = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            #expect(started.state == .running)
            try await harness.relay()
            let expected = (1...25).map { "rental_\($0 == 7 ? "destroyed" : "updated") Rental:\($0)" }
            #expect(try await harness.events(in: "v3_rentals").sorted() == expected.sorted())
            let run = try await harness.genesis.run(started.id)
            #expect(run.state == .completed)
            #expect(run.percent == 100)
            #expect(run.recordsQueued == 25 && run.recordsPublished == 25)
            #expect(run.chunks == 3 && run.chunksDone == 3)
            #expect(try await harness.value("SELECT count(*) FROM dionysus_genesis_chunks") == .integer(0))
        }
    }

    @Test(
        "a run on the topic goes to its genesis replica, too; a run on the genesis topic goes only there",
        arguments: TestDatabaseKind.available
    )
    func targets(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.write(CaptureTests.account, "DELETE FROM dionysus_outboxes")
            _ = try await harness.genesis.start(topic: "v3_accounts_genesis", model: "Account")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts").isEmpty)
            #expect(try await harness.events(in: "v3_accounts_genesis") == ["account_updated Account:1"])
            _ = try await harness.genesis.start(topic: "v3_accounts", model: "Account")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts") == ["account_updated Account:1"])
            #expect(try await harness.events(in: "v3_accounts_genesis").count == 2)
        }
    }

    @Test("a run publishes aggregates whole, in the partition of live changes", arguments: TestDatabaseKind.available)
    func aggregates(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                CaptureTests.booking,
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'cleaning', 40.5)"
            )
            try await harness.relay()
            _ = try await harness.genesis.start(topic: "v3_bookings", model: "Booking")
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_bookings")
            let last = try #require(messages.last)
            #expect(last.event == "booking_updated")
            #expect(last.payload["final_price"] == .string("50.50"))
            #expect(last.payload["bookings_fees"] != nil)
            #expect(Set(messages.map(\.partition)).count == 1)
            #expect(messages.map(\.version) == messages.map(\.version).sorted())
        }
    }

    @Test(
        "a run publishes only what it selects: from and to on updated_at, half-open; conditions; visible records",
        arguments: TestDatabaseKind.available,
        [
            (GenesisSelection(from: Timestamp("2026-03-01T00:00:00Z")), [3, 4]),
            (GenesisSelection(to: Timestamp("2026-03-01T00:00:00Z")), [1, 2]),
            (
                GenesisSelection(from: Timestamp("2026-02-01T00:00:00Z"), to: Timestamp("2026-04-01T00:00:00Z")),
                [2, 3]
            ),
            (GenesisSelection(where: [.init("name", "Casa")]), [2, 4]),
            (GenesisSelection(where: [.init("name", "Casa"), .init("bedrooms", "2")]), [4]),
            (GenesisSelection(where: [.init("own_check_in_time", nil)]), [1, 2, 3]),
            (GenesisSelection(where: [.init("price", "100")]), [1]),
            (GenesisSelection(where: [.init("updated_at", "2026-03-01T00:00:00.000000Z")]), [3]),
            (GenesisSelection(visibleOnly: true), [1, 2, 4]),
        ] as [(GenesisSelection, [Int])]
    )
    func selection(_ kind: TestDatabaseKind, _ example: (selection: GenesisSelection, ids: [Int])) async throws {
        try await ProducerHarness.genesis(kind, chunkSize: 3) { harness in
            try await harness.write(
                CaptureTests.account,
                """
                INSERT INTO rentals (id, account_id, name, price, bedrooms, own_check_in_time, canceled_at, updated_at)
                VALUES (1, 1, 'Villa', 100, 1, NULL, NULL, '2026-01-01T00:00:00Z'),
                  (2, 1, 'Casa', 1, 1, NULL, NULL, '2026-02-01 00:00:00'),
                  (3, 1, 'Villa', 1, 2, NULL, '2026-03-01T00:00:00Z', '2026-03-01T00:00:00.000000Z'),
                  (4, 1, 'Casa', 1, 2, 3, NULL, '2026-04-01T00:00:00.000Z')
                """,
                "DELETE FROM dionysus_outboxes"
            )
            let run = try await harness.genesis.start(
                topic: "v3_rentals",
                model: "Rental",
                selecting: example.selection
            )
            #expect(run.selection == example.selection)
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            let expected = example.ids.map { id in
                "rental_\(id == 3 ? "destroyed" : "updated") Rental:\(id) v3_rentals 1"
            }
            #expect(try await harness.pending() == expected)
        }
    }

    @Test(
        "a run that can't be is refused, with what to do instead",
        arguments: TestDatabaseKind.available,
        [
            ("v3_bookings", "BookingsFee", GenesisSelection(), "start a genesis of Booking"),
            ("v3_boats", "Boat", GenesisSelection(), "there is no topic v3_boats"),
            ("v3_rentals_genesis", "Rental", GenesisSelection(), "v3_rentals has no genesis replica"),
            ("v3_rentals", "Account", GenesisSelection(), "publishes no model Account"),
            (
                "v3_rentals", "Rental", GenesisSelection(where: [.init("color", "red")]),
                "rentals has no column color"
            ),
            (
                "v3_rentals", "Rental", GenesisSelection(where: [.init("account_id", "many")]),
                "the value for column account_id is not of its type"
            ),
            (
                "v3_rentals", "Rental",
                GenesisSelection(from: Timestamp("2026-03-01"), to: Timestamp("2026-03-01")),
                "from is not before to"
            ),
        ] as [(String, String, GenesisSelection, String)]
    )
    func refusals(
        _ kind: TestDatabaseKind,
        _ example: (topic: String, model: String, selection: GenesisSelection, message: String)
    ) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            let error = try await #require(throws: DionysusError.self) {
                try await harness.genesis.start(
                    topic: example.topic,
                    model: example.model,
                    selecting: example.selection
                )
            }
            #expect(error.description.contains(example.message), "\(error)")
            #expect(try await harness.genesis.runs().isEmpty)
        }
    }

    @Test(
        "a record that is deleted after its chunk was queued is not brought back, and one that changed is published as it is",
        arguments: TestDatabaseKind.available
    )
    func overtaken(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(3)
            let run = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            #expect(try await harness.genesis.run(run.id).recordsQueued == 3)
            try await harness.write(
                "DELETE FROM rentals WHERE id = 1",
                "UPDATE rentals SET name = 'Casa' WHERE id = 2"
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(messages.filter { $0.key == "Rental:1" }.map(\.event) == ["rental_destroyed"])
            #expect(messages.filter { $0.key == "Rental:2" }.allSatisfy { $0.payload["name"] == .string("Casa") })
            #expect(try await harness.genesis.run(run.id).state == .completed)
        }
    }

    @Test(
        "a completed run is announced with model, service, topic and times",
        arguments: TestDatabaseKind.available
    )
    func performed(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(12)
            var harness = harness
            harness.settings.publisherServiceName = "bookings"
            harness.settings.genesisSafetyDelay = .seconds(120)
            let announced = Announcements()
            var hooks = GenesisHooks()
            hooks.onPerformed = { announced.add($0) }
            let run = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            try await harness.relay(hooks: hooks)
            let performed = try #require(announced.all.first)
            #expect(announced.all.count == 1)
            #expect(performed.runID == run.id)
            #expect(performed.model == "Rental" && performed.topic == "v3_rentals" && performed.service == "bookings")
            #expect(performed.startedAt == run.createdAt)
            #expect(performed.endedAt >= run.createdAt + 120)
        }
    }

    @Test(
        "a run is announced before its first record, with the window that is planned, once over all relays",
        arguments: TestDatabaseKind.available
    )
    func started(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(25)
            var harness = harness
            harness.settings.publisherServiceName = "bookings"
            harness.settings.genesisSafetyDelay = .seconds(120)
            let announced = Collected<GenesisStarted>()
            var hooks = GenesisHooks()
            hooks.onStarted = { [broker = harness.broker] event in
                #expect((try? await readAll("v3_rentals", from: broker))?.isEmpty != false)
                announced.add(event)
            }
            let run = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            let spread = try await harness.genesis
                .start(topic: "v3_accounts", model: "Account", over: .seconds(86_400))
            // Several workers, of which one is asked first.
            let workers = [
                try await harness.genesisWorker(hooks: hooks), try await harness.genesisWorker(hooks: hooks),
            ]
            for worker in workers { _ = try await worker.step() }
            try await harness.relay(hooks: hooks)
            #expect(announced.all.map(\.runID) == [run.id, spread.id])
            let (plain, planned) = (try #require(announced.all.first), try #require(announced.all.last))
            #expect(plain.model == "Rental" && plain.topic == "v3_rentals" && plain.service == "bookings")
            #expect(plain.startedAt == run.createdAt && plain.plannedEnd == nil)
            #expect(planned.plannedEnd == spread.startsAt + 86_400 + 120)
            #expect(try await harness.genesis.run(run.id).state == .completed)
        }
    }

    @Test("a run that selects nothing is completed", arguments: TestDatabaseKind.available)
    func nothing(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            let run = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            try await harness.relay()
            #expect(try await harness.genesis.run(run.id).state == .completed)
        }
    }

    @Test(
        "a row of a run that can't be published is retried and parked, and then the run is completed",
        arguments: TestDatabaseKind.available
    )
    func parked(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind, producer: PickySync()) { harness in
            var harness = harness
            harness.settings.maxAttempts = 2
            try await harness.addRentals(5)
            try await harness.write(
                "UPDATE rentals SET name = 'bad' WHERE id = 2",
                "DELETE FROM dionysus_outboxes"
            )
            let id = try await harness.genesis.start(topic: "v3_rentals", model: "Rental").id
            try await harness.relay()
            let waiting = try await harness.genesis.run(id)
            #expect(waiting.state == .running)
            #expect(waiting.recordsQueued == 5 && waiting.recordsPublished == 4)
            try await harness.write("UPDATE dionysus_outboxes SET retry_at = created_at WHERE retry_at IS NOT NULL")
            try await harness.relay()
            let run = try await harness.genesis.run(id)
            #expect(run.state == .completed)
            #expect(run.recordsPublished == 4)
        }
    }

    @Test("rows of a run say which run they come from", arguments: TestDatabaseKind.available)
    func origin(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(1)
            let run = try await harness.genesis.start(topic: "v3_rentals", model: "Rental")
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            #expect(try await harness.value("SELECT origin FROM dionysus_outboxes") == .text("genesis:\(run.id)"))
        }
    }

    @Test("uninstall removes the runs' tables", arguments: TestDatabaseKind.available)
    func uninstall(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.schema.uninstall()
            let error = try await #require(throws: DionysusError.self) { try await harness.genesis.runs() }
            #expect(error.description.contains("run migrate first"))
        }
    }
}

final class Announcements: Sendable {
    private let list = Mutex<[GenesisPerformed]>([])
    var all: [GenesisPerformed] { list.withLock { $0 } }
    func add(_ performed: GenesisPerformed) { list.withLock { $0.append(performed) } }
}
