import Dionysus
import TestSupport
import Testing

/// What a change writes into the outbox.
@Suite struct CaptureTests {
    static let account: SQL = "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15)"
    static let rental: SQL = "INSERT INTO rentals (id, account_id, name, price) VALUES (1, 1, 'Villa', 100)"
    static let booking: SQL =
        "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (1, 1, '2026-01-01T00:00:00Z', 10)"

    @Test(
        "an insert is captured as created, with the partition key of its topic",
        arguments: TestDatabaseKind.available
    )
    func insert(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(Self.account, Self.rental)
            #expect(
                try await harness.pending() == [
                    "account_created Account:1 v3_accounts 1", "rental_created Rental:1 v3_rentals 1",
                ]
            )
        }
    }

    @Test(
        "each change of a soft-deletable record is captured as its event",
        arguments: TestDatabaseKind.available,
        [
            ("UPDATE rentals SET name = 'Casa'", ["rental_updated"]),
            ("UPDATE rentals SET name = name", []),
            ("UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z'", ["rental_destroyed"]),
            (
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z'; UPDATE rentals SET canceled_at = '2026-01-02T00:00:00Z'",
                ["rental_destroyed", "rental_destroyed"]
            ),
            (
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z'; UPDATE rentals SET canceled_at = NULL",
                ["rental_destroyed", "rental_created"]
            ),
            (
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z'; UPDATE rentals SET name = 'Casa'",
                ["rental_destroyed"]
            ),
            ("UPDATE rentals SET id = 2", ["rental_destroyed Rental:1", "rental_created Rental:2"]),
            ("DELETE FROM rentals", ["rental_destroyed"]),
        ] as [(String, [String])]
    )
    func changes(_ kind: TestDatabaseKind, _ change: (statements: String, events: [String])) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(Self.account, Self.rental, "DELETE FROM dionysus_outboxes")
            for statement in change.statements.split(separator: "; ") {
                try await harness.write(SQL(raw: String(statement)))
            }
            let expected = change.events.map { event in
                (event.contains(" ") ? event : "\(event) Rental:1") + " v3_rentals 1"
            }
            #expect(try await harness.pending().sorted() == expected.sorted())
        }
    }

    @Test("a dependency's insert, update and delete publish its parent", arguments: TestDatabaseKind.available)
    func dependency(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(Self.account, Self.rental, Self.booking, "DELETE FROM dionysus_outboxes")
            let updated = "booking_updated Booking:1 v3_bookings 1"
            try await harness.write("INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'a', 5)")
            #expect(try await harness.pending() == [updated])
            try await harness.write("UPDATE bookings_fees SET amount = 6")
            #expect(try await harness.pending() == [updated, updated])
            try await harness.write("DELETE FROM bookings_fees")
            #expect(try await harness.pending() == [updated, updated, updated])
        }
    }

    @Test(
        "a dependency that moves publishes the parent it leaves and the one it joins",
        arguments: TestDatabaseKind.available
    )
    func move(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                Self.account,
                Self.rental,
                Self.booking,
                "INSERT INTO bookings (id, rental_id, start_at) VALUES (2, 1, '2026-01-01T00:00:00Z')",
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'a', 5)",
                "DELETE FROM dionysus_outboxes",
                "UPDATE bookings_fees SET booking_id = 2"
            )
            #expect(
                try await harness.pending().sorted() == [
                    "booking_updated Booking:1 v3_bookings 1", "booking_updated Booking:2 v3_bookings 1",
                ]
            )
        }
    }

    @Test(
        "an observed attribute is written for the relay, with the names of what changed and no value",
        arguments: TestDatabaseKind.available
    )
    func observed(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                Self.account,
                "DELETE FROM dionysus_outboxes",
                "UPDATE accounts SET default_check_in_time = 16",
                "UPDATE accounts SET name = 'Other'"
            )
            #expect(
                try await harness.pending().sorted() == [
                    "account_updated Account:1 __outbox_observer__ -", "account_updated Account:1 v3_accounts 1",
                    "account_updated Account:1 v3_accounts 1",
                ]
            )
            let changeset = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT changeset FROM dionysus_outboxes WHERE topic = '__outbox_observer__'")
                    .first?
                    .text(0)
            }
            #expect(try JSON(parsing: Array((changeset ?? "").utf8)) == .object(["default_check_in_time": .null]))
        }
    }

    @Test("a rolled-back transaction and a rolled-back savepoint record nothing", arguments: TestDatabaseKind.available)
    func rollback(_ kind: TestDatabaseKind) async throws {
        struct Rollback: Error {}
        try await ProducerHarness.run(kind) { harness in
            await #expect(throws: Rollback.self) {
                try await harness.database.transaction(.write) { transaction in
                    try transaction.run(Self.account)
                    throw Rollback()
                }
            }
            try await harness.database.transaction(.write) { transaction in
                try transaction.run("INSERT INTO accounts (id, name) VALUES (2, 'Kept')")
                try? transaction.savepoint { inner in
                    try inner.run(Self.account)
                    throw Rollback()
                }
            }
            #expect(try await harness.pending() == ["account_created Account:2 v3_accounts 2"])
        }
    }

    @Test("migrating again changes nothing and uninstalling removes every trace", arguments: TestDatabaseKind.available)
    func migrations(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(Self.account)
            let schema = harness.schema
            try await schema.migrate(lanes: harness.settings.lanes)
            #expect(try await harness.pending().count == 1)
            #expect(try await schema.validate() == [])
            try await schema.uninstall()
            try await harness.write("UPDATE accounts SET name = 'unseen'")
            let (outbox, accounts) = try await harness.database.transaction(.snapshot) { transaction in
                (try transaction.describe(table: "dionysus_outboxes"), try transaction.describe(table: "accounts"))
            }
            #expect(outbox == nil)
            #expect(accounts?.triggers == [])
            #expect(try await schema.validate().contains { $0.contains("run migrate") })
        }
    }
}
