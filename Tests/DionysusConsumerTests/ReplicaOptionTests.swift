import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@Suite struct ReplicaOptionTests {
    private let rentals: SQL = """
        SELECT synced_id, name || CASE WHEN synced_canceled_at IS NULL THEN '' ELSE ' canceled' END
        FROM rentals ORDER BY synced_id
        """

    @Test(arguments: TestDatabaseKind.available)
    func `a replica can give the synced columns names of its own`(_ kind: TestDatabaseKind) async throws {
        let consumer = Declared(
            [ConsumerTopic("rentals")],
            replicas: [
                Persist("Rental", table: "places")
                    .columns { names in
                        names.id = "remote_id"
                        names.prefix = "remote_"
                        names.updatedAt = "changed_at"
                        names.canceledAt = "archived_at"
                        names.data = "payload"
                    }
                    .element
            ]
        )
        try await ReplicaHarness.run(kind) { replica in
            let columns = try await replica.database.transaction(.snapshot) { transaction in
                let dialect = transaction.dialect
                return SQL(
                    raw: """
                        CREATE TABLE places (remote_id bigint NOT NULL UNIQUE, remote_account_id bigint,
                          changed_at \(dialect.columnType(.timestamp)), archived_at \(dialect.columnType(.timestamp)),
                          payload \(dialect.columnType(.json)), name text)
                        """
                )
            }
            try await replica.run(columns)
            func rental(_ name: String, _ day: Int, _ canceledAt: String) -> WireMessage {
                let payload = """
                    {"id":1,"name":"\(name)","color":"red","canceled_at":\(canceledAt),\
                    "updated_at":"2026-01-0\(day)T00:00:00Z","links":{"account":5}}
                    """
                return .event("rental_updated", "Rental", payload)
            }
            try await replica.publish(rental("a", 2, #""2026-01-02T00:00:00Z""#), rental("old", 1, "null"))
            try await replica.consume(consumer)
            let query: SQL = "SELECT remote_id, remote_account_id, name, changed_at, archived_at FROM places"
            let rows = try await replica.rows(query)
            #expect(rows == ["1 5 a 2026-01-02T00:00:00.000Z 2026-01-02T00:00:00.000Z"])
            let payload = try #require(try await replica.rows("SELECT payload FROM places").first)
            #expect(try JSON(parsing: Array(payload.utf8))["color"] == .string("red"))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `columns that the database computes, and read-only ones, are never written`(
        _ kind: TestDatabaseKind
    ) async throws {
        let payload = #"{"id":1,"name":"a","label":"mine","note":"from the source"}"#
        try await ReplicaHarness.expect(
            kind,
            [
                .event("rental_created", "Rental", payload),
                .event("rental_updated", "Rental", payload.replacing(#""a""#, with: #""b""#)),
            ],
            by: Declared(
                [ConsumerTopic("rentals")],
                replicas: [Persist("Rental", table: "places").readOnly("note").element]
            ),
            after: [
                """
                CREATE TABLE places (synced_id bigint NOT NULL UNIQUE, name text, note text DEFAULT 'local',
                  label text GENERATED ALWAYS AS (name || '!') STORED)
                """
            ],
            give: ["1 b b! local"],
            in: "SELECT synced_id, name, label, note FROM places"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what a replica makes of the whole payload is stored where it says`(_ kind: TestDatabaseKind) async throws {
        let consumer = Declared(
            [ConsumerTopic("rentals")],
            replicas: [
                Persist("Rental", table: "rentals")
                    .storing { data in
                        var values = ["name": JSON.string("\(data["name"]?.text ?? "") \(data["color"]?.text ?? "")")]
                        if let rooms = data["rooms"] { values["bedrooms"] = rooms }
                        values["synced_data"] = data["extras"]
                        return values
                    }
                    .element
            ]
        )
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                .event("rental_created", "Rental", #"{"id":1,"name":"a","color":"red","rooms":4,"extras":{"x":1}}"#)
            )
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT synced_id, name, bedrooms FROM rentals") == [#"1 "a" "red" 4"#])
            let stored = try #require(try await replica.rows("SELECT synced_data FROM rentals").first)
            #expect(try JSON(parsing: Array(stored.utf8)).text == #"{"x":1}"#)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replica can't store in the columns that Dionysus fills`(_ kind: TestDatabaseKind) async throws {
        let consumer = Declared(
            [ConsumerTopic("rentals")],
            replicas: [Persist("Rental", table: "rentals").storing { _ in ["synced_version": .integer(9)] }.element]
        )
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "a", version: 1))
            let error = await #expect(throws: DionysusError.self) { try await replica.consume(consumer) }
            #expect(error?.code == .declaration)
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == [])
        }
    }

    /// A replica that marks records that are destroyed.
    private static let strategy = Persist("Rental", table: "rentals")
        .cancelling { ids, transaction in
            for id in ids {
                let now = transaction.dialect.now
                try transaction.run(
                    "UPDATE rentals SET synced_canceled_at = \(now), bedrooms = 0 WHERE synced_id = \(id)"
                )
            }
        }

    @Test(arguments: TestDatabaseKind.available)
    func `a destroyed record that is known is ended by the replica's own strategy, and an unknown one leaves no row`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.expect(
            kind,
            [
                .rental(.created, 1, name: "a"),
                .rental(.destroyed, 1, name: "last name"),
                .rental(.destroyed, 1),
                .rental(.destroyed, 2, name: "unknown"),
                .rental(.created, 3, name: "c", version: 2),
                .rental(.destroyed, 3, version: 1),
            ],
            by: Declared([ConsumerTopic("rentals")], replicas: [Self.strategy.element]),
            give: ["1 last name canceled", "3 c"],
            in: rentals
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a created or updated event restores what a strategy has ended`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.expect(
            kind,
            [
                .rental(.created, 1, name: "a"), .rental(.destroyed, 1), .rental(.updated, 1, name: "b"),
                .rental(.created, 2, name: "c"), .rental(.destroyed, 2), .rental(.created, 2, name: "d"),
                .rental(.destroyed, 2),
            ],
            by: Declared([ConsumerTopic("rentals")], replicas: [Self.strategy.element]),
            give: ["1 b", "2 d canceled"],
            in: rentals
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a time of cancellation is stored, without the strategy, where the table has a column for it`(
        _ kind: TestDatabaseKind
    ) async throws {
        let canceledAt = #""2026-01-02T00:00:00Z""#
        let messages = [
            WireMessage.rental(.created, 1, name: "a"), .rental(.destroyed, 1, name: "a", canceledAt: canceledAt),
        ]
        try await ReplicaHarness.expect(
            kind,
            messages,
            by: Declared([ConsumerTopic("rentals")], replicas: [Self.strategy.element]),
            give: ["1 2026-01-02T00:00:00.000Z -"],
            in: "SELECT synced_id, synced_canceled_at, bedrooms FROM rentals"
        )
        let plain = Persist("Rental", table: "places")
            .cancelling { ids, transaction in
                for id in ids { try transaction.run("UPDATE places SET name = 'gone' WHERE synced_id = \(id)") }
            }
        try await ReplicaHarness.expect(
            kind,
            messages + [.rental(.destroyed, 2, name: "unknown", canceledAt: canceledAt)],
            by: Declared([ConsumerTopic("rentals")], replicas: [plain.element]),
            after: ["CREATE TABLE places (synced_id bigint NOT NULL UNIQUE, name text)"],
            give: ["1 gone"],
            in: "SELECT synced_id, name FROM places"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what a strategy throws is a failure of the record's message alone`(_ kind: TestDatabaseKind) async throws {
        let picky = Persist("Rental", table: "rentals")
            .cancelling { ids, transaction in
                if ids.contains(.integer(2)) { throw Refusal() }
                for id in ids { try transaction.run("UPDATE rentals SET name = 'gone' WHERE synced_id = \(id)") }
            }
        try await ReplicaHarness.expect(
            kind,
            [
                .rental(.created, 1, name: "a"), .rental(.created, 2, name: "b"), .rental(.destroyed, 2),
                .rental(.destroyed, 1), .rental(.created, 3, name: "c"),
            ],
            by: Declared([ConsumerTopic("rentals")], replicas: [picky.element]),
            give: ["1 gone", "2 b", "3 c"],
            in: "SELECT synced_id, name FROM rentals ORDER BY synced_id",
            failures: ["2"]
        )
    }
}
