import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What the relay makes of the outbox.
@Suite struct RelayTests {
    @Test(
        "a record is published whole: attributes in their order, links and sideloads",
        arguments: TestDatabaseKind.available
    )
    func payload(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                CaptureTests.booking,
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'cleaning', 40.5)",
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (2, 1, 'pets', 10)"
            )
            try await harness.relay()
            let rental = try #require(await harness.messages(in: "v3_rentals").first)
            #expect(rental.event == "rental_created")
            #expect(rental.key == "Rental:1")
            #expect(rental.partition == 3)
            #expect(rental.payload["check_in_time"] == .integer(15))
            #expect(rental.payload["price"] == .string("100.00"))
            #expect(rental.payload["links"] == .object(["account": .integer(1)]))
            let booking = try #require(await harness.messages(in: "v3_bookings").last)
            #expect(booking.event == "booking_updated")
            #expect(booking.payload["final_price"] == .string("60.50"))
            #expect(booking.payload["links"]?["bookings_fees"] == .array([.integer(1), .integer(2)]))
            guard case .object(let members) = booking.payload else {
                Issue.record("no object")
                return
            }
            #expect(
                members.members.map(\.name) == [
                    "id", "start_at", "final_price", "canceled_at", "created_at", "updated_at", "links",
                    "bookings_fees",
                ]
            )
        }
    }

    @Test("a topic with a genesis replica gets every message in both", arguments: TestDatabaseKind.available)
    func genesisReplica(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
            #expect(try await harness.events(in: "v3_accounts_genesis") == ["account_created Account:1"])
        }
    }

    @Test("an observed change publishes the records that are computed from it", arguments: TestDatabaseKind.available)
    func observers(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name, canceled_at) VALUES (2, 1, 'gone', '2026-01-01T00:00:00Z')",
                "UPDATE accounts SET default_check_in_time = 17"
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(messages.last?.event == "rental_updated")
            #expect(messages.last?.payload["check_in_time"] == .integer(17))
            #expect(!messages.contains { $0.key == "Rental:2" && $0.event == "rental_updated" })
        }
    }

    @Test("what is published fits the state that is loaded", arguments: TestDatabaseKind.available)
    func reconciliation(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "DELETE FROM rentals",
                "INSERT INTO rentals (id, account_id, name) VALUES (2, 1, 'a')",
                "DELETE FROM rentals",
                "INSERT INTO rentals (id, account_id, name) VALUES (2, 1, 'again')"
            )
            try await harness.relay()
            let events = try await harness.events(in: "v3_rentals")
            // Gone: only that it was destroyed. There again: created, updated instead of destroyed, created.
            #expect(
                events == [
                    "rental_destroyed Rental:1", "rental_created Rental:2", "rental_updated Rental:2",
                    "rental_created Rental:2",
                ]
            )
            let destroyed = try #require(await harness.messages(in: "v3_rentals").first)
            #expect(destroyed.payload == .object(["id": .integer(1), "links": .object([:])]))
        }
    }

    @Test(
        "an update that finds its record soft-deleted is published as its destruction",
        arguments: TestDatabaseKind.available
    )
    func lateUpdate(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z'",
                "DELETE FROM dionysus_outboxes",
                // As a part's change leaves one that was expanded before the record was soft-deleted.
                """
                INSERT INTO dionysus_outboxes
                  (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
                VALUES ('Rental', '1', 'rental_updated', 'v3_rentals', '1', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)
                """
            )
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals") == ["rental_destroyed Rental:1"])
        }
    }

    @Test("versions rise from batch to batch", arguments: TestDatabaseKind.available)
    func versions(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            try await harness.relay()
            try await harness.write("UPDATE accounts SET name = 'b'")
            try await harness.relay()
            let versions = try await harness.messages(in: "v3_accounts").map(\.version)
            #expect(versions.count == 2)
            #expect(versions == versions.sorted() && Set(versions).count == 2)
            #expect(versions.allSatisfy { $0 > Timestamp.now.microseconds - 3_600_000_000 })
        }
    }

    @Test("a bulk update arrives in order, and every row is settled", arguments: TestDatabaseKind.available)
    func bulk(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.batchSize = 100
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account)
            let ids = (1...1_000).map { DatabaseValue.integer($0) }
            let rows = harness.database.dialect.rows([BulkColumn("id", .integer, ids)], alias: "v")
            try await harness.write(
                "INSERT INTO rentals (id, account_id, name, price) SELECT id, 1, 'r', 1 FROM \(rows)",
                "UPDATE rentals SET price = price + 1"
            )
            try await harness.relay()
            #expect(try await harness.pending() == [])
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(messages.count == 2_000)
            #expect(messages.prefix(1_000).allSatisfy { $0.event == "rental_created" })
            #expect(messages.suffix(1_000).allSatisfy { $0.payload["price"] == .string("2.00") })
        }
    }

    @Test(
        "a transaction that commits after a later one was published is not skipped",
        .enabled(if: TestDatabaseKind.available.contains(.postgres), "needs PostgreSQL")
    )
    func lateCommit() async throws {
        try await ProducerHarness.run(.postgres) { harness in
            try await harness.write(CaptureTests.account, "INSERT INTO accounts (id, name) VALUES (2, 'Second')")
            try await harness.relay()
            // A lease is a transaction that stays open: this one has drawn an id and has not committed.
            let late = LeasedResource(
                name: "late",
                lockingQuery: "UPDATE accounts SET name = 'late' WHERE id = 1 RETURNING id"
            )
            let lease = try #require(await harness.database.lease(late, idleTimeout: .seconds(60)))
            for number in 1...3 {
                try await harness.write("UPDATE accounts SET name = \("early \(number)") WHERE id = 2")
                try await harness.relay()
            }
            #expect(try await harness.events(in: "v3_accounts").filter { $0 == "account_updated Account:1" }.isEmpty)
            try await lease.release { _ in }
            try await harness.relay()
            let last = try #require(await harness.messages(in: "v3_accounts").last { $0.key == "Account:1" })
            #expect(last.payload["name"] == .string("late"))
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "a record that moves to another partition key is published in the order of its rows",
        arguments: TestDatabaseKind.available
    )
    func move(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "INSERT INTO accounts (id, name) VALUES (2, 'Second')"
            )
            for number in 1...20 {
                try await harness.write("UPDATE rentals SET account_id = 1 + \(number) % 2, name = \("name \(number)")")
            }
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            // Read partition by partition: in each, the rows' order and rising versions.
            for (_, messages) in Dictionary(grouping: messages, by: \.partition) {
                #expect(messages.map(\.version) == messages.map(\.version).sorted())
            }
            let latest = messages.max { $0.version < $1.version }
            #expect(latest?.payload["name"] == .string("name 20"))
            #expect(messages.count == 21)
            #expect(try await harness.pending() == [])
        }
    }
}
