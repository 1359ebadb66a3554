import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// An outbox table that dionysus-rb's migration created, and rows that its application inserted.
@Suite struct RubyOutboxTests {
    /// As Rails creates it: strings, and times without a time zone.
    private static func creation(_ kind: TestDatabaseKind, changeset: String) -> SQL {
        let identity = kind == .postgres ? "bigserial PRIMARY KEY" : "integer PRIMARY KEY AUTOINCREMENT NOT NULL"
        let time = kind == .postgres ? "timestamp(6) without time zone" : "datetime(6)"
        return SQL(
            raw: """
                CREATE TABLE dionysus_outboxes (
                  id \(identity),
                  resource_class varchar NOT NULL,
                  resource_id varchar NOT NULL,
                  event_name varchar NOT NULL,
                  topic varchar NOT NULL,
                  partition_key varchar,
                  published_at \(time),
                  failed_at \(time),
                  retry_at \(time),
                  error_class varchar,
                  error_message varchar,
                  attempts integer NOT NULL DEFAULT 0,
                  created_at \(time) NOT NULL,
                  updated_at \(time) NOT NULL\(changeset)
                )
                """
        )
    }

    /// A row as dionysus-rb inserts it.
    private static func row(
        _ model: String,
        _ id: Int64,
        _ event: String,
        _ topic: String,
        key: Int64? = 1,
        changeset: String = "{}"
    ) -> SQL {
        """
        INSERT INTO dionysus_outboxes
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at, changeset)
        VALUES (\(model), \(String(id)), \(event), \(topic), \(key.map { String($0) }), '2026-11-21 10:00:00.123456',
          '2026-11-21 10:00:00.123456', \(raw: "'\(changeset)'"))
        """
    }

    private static func run(
        _ kind: TestDatabaseKind,
        changeset: String = ",\n changeset jsonb NOT NULL DEFAULT '{}'",
        producer: any Producer = BookingSync(),
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await ProducerHarness.run(kind, producer: producer, preparing: [creation(kind, changeset: changeset)]) {
            harness in
            try await harness.write(
                "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15)",
                "INSERT INTO rentals (id, account_id, name, price) VALUES (1, 1, 'Villa', 100)",
                "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (1, 1, '2026-01-01T00:00:00Z', 10)",
                "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (2, 1, '2026-01-01T00:00:00Z', 10)",
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'tax', 3)",
                "DELETE FROM dionysus_outboxes"
            )
            try await body(harness)
        }
    }

    @Test(
        "triggers fill a table that dionysus-rb created, and the relay drains it",
        arguments: TestDatabaseKind.available
    )
    func triggers(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            try await harness.write(
                "UPDATE rentals SET name = 'Casa'",
                "UPDATE bookings SET rental_id = 1, base_price = 11"
            )
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals") == ["rental_updated Rental:1"])
            #expect(try await harness.messages(in: "v3_bookings").count == 2)
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "a table that dionysus-rb created has messages written as it writes them, unless the wire is chosen",
        arguments: TestDatabaseKind.available,
        [(nil, "100.0", 3), (.dionysus, "100.00", 6), (.dionysusRb, "100.0", 3)] as [(WireStyle?, String, Int)]
    )
    func wire(_ kind: TestDatabaseKind, _ choice: (wire: WireStyle?, price: String, digits: Int)) async throws {
        try await Self.run(kind) { harness in
            var harness = harness
            harness.settings.wire = choice.wire
            try await harness.write(Self.row("Rental", 1, "rental_updated", "v3_rentals"))
            try await harness.relay()
            let payload = try #require(try await harness.messages(in: "v3_rentals").last).payload
            #expect(payload["price"] == .string(choice.price))
            guard case .string(let time)? = payload["updated_at"] else { return #expect(Bool(false)) }
            #expect(time.split(separator: ".").last?.count == choice.digits + 1)
        }
    }

    @Test(
        "a topic can have a wire of its own, in an outbox of ours",
        arguments: TestDatabaseKind.available
    )
    func wireOfTopic(_ kind: TestDatabaseKind) async throws {
        struct Sync: Producer {
            var namespaces: [Namespace] {
                Namespace("v3", serializers: Serializers { AccountSerializer() }) {
                    Topic("accounts", partitionKey: "id", genesisReplica: true) { Publish(Account.self) }
                        .wire(.dionysusRb)
                    Topic("customers", partitionKey: "id") { Publish(Account.self) }
                }
            }
        }
        try await ProducerHarness.run(kind, producer: Sync()) { harness in
            try await harness.write("INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'A & B', 15)")
            try await harness.relay()
            for (topic, digits, name) in [
                ("v3_accounts", 3, #"A \u0026 B"#), ("v3_accounts_genesis", 3, #"A \u0026 B"#),
                ("v3_customers", 6, "A & B"),
            ] {
                let message = try #require(try await harness.messages(in: topic).first)
                guard case .string(let time)? = message.payload["updated_at"] else { return #expect(Bool(false)) }
                #expect(time.split(separator: ".").last?.count == digits + 1)
                #expect(message.text.contains(name))
            }
        }
    }

    @Test("rows of a Ruby application are published", arguments: TestDatabaseKind.available)
    func rows(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            try await harness.write(
                Self.row(
                    "Rental",
                    1,
                    "rental_created",
                    "v3_rentals",
                    changeset: #"{"id":[null,1],"account_id":[null,1]}"#
                ),
                Self.row("Rental", 1, "rental_updated", "v3_rentals", changeset: #"{"name":["Villa","Casa"]}"#)
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(messages.map(\.event) == ["rental_created", "rental_updated"])
            #expect(messages.first?.payload["name"] == .string("Villa"))
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "a Ruby application's row of a dependency publishes its parents, those it left too",
        arguments: TestDatabaseKind.available
    )
    func dependencies(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            try await harness.write(Self.row("BookingsFee", 1, "bookings_fee_created", "v3_bookings"))
            try await harness.relay()
            #expect(try await harness.events(in: "v3_bookings") == ["booking_updated Booking:1"])

            let moved = #"{"booking_id":[2,1]}"#
            try await harness.write(
                Self.row("BookingsFee", 1, "bookings_fee_updated", "v3_bookings", changeset: moved),
                Self.row("BookingsFee", 1, "bookings_fee_updated", "v3_bookings")
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_bookings").dropFirst()
            #expect(messages.map(\.key).sorted() == ["Booking:1", "Booking:2"])
            let sideloaded = messages.first { $0.key == "Booking:1" }?.payload["bookings_fees"]
            #expect(sideloaded?.text.contains(#""name":"tax""#) == true)
        }
    }

    @Test(
        "a Ruby application's row of what its topic publishes by itself and as a part publishes both",
        arguments: TestDatabaseKind.available
    )
    func publishedPart(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, producer: PartsToo()) { harness in
            try await harness.write(Self.row("BookingsFee", 1, "bookings_fee_updated", "v3_bookings"))
            try await harness.relay()
            let events = try await harness.events(in: "v3_bookings")
            #expect(events.sorted() == ["booking_updated Booking:1", "bookings_fee_updated BookingsFee:1"])
            #expect(try await harness.pending() == [])
        }
    }

    @Test("a Ruby application's observer row publishes the observers", arguments: TestDatabaseKind.available)
    func observers(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            let changed = #"{"default_check_in_time":[14,15]}"#
            try await harness.write(
                Self.row("Account", 1, "account_updated", "__outbox_observer__", key: nil, changeset: changed),
                Self.row(
                    "Account",
                    1,
                    "account_updated",
                    "__outbox_observer__",
                    key: nil,
                    changeset: #"{"name":["a","b"]}"#
                )
            )
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals") == ["rental_updated Rental:1"])
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "a row that failed in Ruby waits until it is due, and has its later rows wait",
        arguments: TestDatabaseKind.available
    )
    func retries(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            try await harness.write(
                Self.row("Rental", 1, "rental_updated", "v3_rentals"),
                "UPDATE dionysus_outboxes SET failed_at = '2099-01-01 00:00:00', attempts = 2, retry_at = '2099-01-01 00:00:00'",
                Self.row("Rental", 1, "rental_updated", "v3_rentals")
            )
            try await harness.relay()
            #expect(try await harness.messages(in: "v3_rentals").isEmpty)
            try await harness.write(
                "UPDATE dionysus_outboxes SET retry_at = '2026-01-01 00:00:00' WHERE retry_at IS NOT NULL"
            )
            try await harness.relay()
            #expect(try await harness.messages(in: "v3_rentals").count == 2)
        }
    }

    @Test(
        "a row that Ruby wants to try again in days is tried after our longest delay, and its record's rows with it",
        arguments: TestDatabaseKind.available
    )
    func distantRetries(_ kind: TestDatabaseKind) async throws {
        for failedAt in ["'2026-01-01 00:00:00'", "NULL"] {
            try await Self.run(kind) { harness in
                try await harness.write(
                    Self.row("Rental", 1, "rental_updated", "v3_rentals"),
                    """
                    UPDATE dionysus_outboxes SET attempts = 20, retry_at = '2099-01-01 00:00:00',
                      failed_at = \(raw: failedAt), updated_at = '2026-01-01 00:00:00'
                    """,
                    Self.row("Rental", 1, "rental_updated", "v3_rentals")
                )
                try await harness.relay()
                #expect(try await harness.messages(in: "v3_rentals").count == 2)
                #expect(try await harness.pending() == [])
            }
        }
    }

    @Test(
        "a published row has no error left, as in Ruby; a discarded one has",
        arguments: TestDatabaseKind.available
    )
    func errors(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { harness in
            try await harness.write(
                Self.row("Rental", 1, "rental_updated", "v3_rentals"),
                // Superfluous, since the record is gone.
                Self.row("Rental", 7, "rental_updated", "v3_rentals"),
                """
                UPDATE dionysus_outboxes SET failed_at = created_at, retry_at = created_at, attempts = 3,
                  error_class = 'RuntimeError', error_message = 'no broker'
                """
            )
            try await harness.relay()
            let left = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run(
                    """
                    SELECT count(published_at), count(failed_at), count(retry_at), count(error_class), count(error_message)
                    FROM dionysus_outboxes
                    """
                )
                .first.map { row in try (0..<5).map { try row.integer($0) } }
            }
            // The superfluous row keeps a note that says why nothing was sent.
            #expect(left == [2, 0, 0, 0, 1])
        }
    }

    @Test("a table without changesets is filled and drained too", arguments: TestDatabaseKind.available)
    func noChangesets(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, changeset: "") { harness in
            try await harness.write("UPDATE rentals SET name = 'Casa'", "DELETE FROM bookings_fees")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals") == ["rental_updated Rental:1"])
            #expect(try await harness.events(in: "v3_bookings") == ["booking_updated Booking:1"])
        }
    }
}

/// Fees are published by themselves, too.
private struct PartsToo: Producer {
    var namespaces: [Namespace] {
        Namespace("v3", serializers: BookingSync().serializers) {
            Topic("bookings") {
                Publish(Booking.self, with: Booking.fees).partitioned(by: .rentalID)
                Publish(BookingsFee.self).partitioned(by: .bookingID)
            }
        }
    }
}
