import Dionysus
import TestSupport
import Testing

/// The steps of the migration page, there and back, on a database created by dionysus-rb's migrations.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct RubyMigrationTests {
    /// dionysus-rb's outbox under a custom name, without changesets.
    private static func outbox(_ kind: InstallationKind) -> String {
        let identity = kind == .embedded ? "integer PRIMARY KEY AUTOINCREMENT NOT NULL" : "bigserial PRIMARY KEY"
        let time = kind == .embedded ? "datetime(6)" : "timestamp(6)"
        return """
            CREATE TABLE outbox_records (
              id \(identity), resource_class varchar NOT NULL, resource_id varchar NOT NULL, event_name varchar NOT NULL,
              topic varchar NOT NULL, partition_key varchar, published_at \(time), failed_at \(time), retry_at \(time),
              error_class varchar, error_message varchar, attempts integer NOT NULL DEFAULT 0,
              created_at \(time) NOT NULL, updated_at \(time) NOT NULL
            );
            """
    }

    private static let records = """
        INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15);
        INSERT INTO rentals (id, account_id, name, price) VALUES (1, 1, 'Villa', 100.5);
        INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (1, 1, '2026-12-24T15:00:00Z', 500);
        INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'cleaning', 45);
        """

    /// A row recorded by the Ruby application.
    private static func row(_ model: String, _ event: String, _ topic: String) -> String {
        """
        INSERT INTO outbox_records (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
        VALUES ('\(model)', '1', '\(event)', '\(topic)', '1', '2026-11-21 10:00:00.123456', '2026-11-21 10:00:00.123456');
        """
    }

    @Test("a producer moves here and back, and the replica follows", arguments: InstallationKind.available)
    func thereAndBack(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            var installation = installation
            installation.environment["DIONYSUS_OUTBOX_TABLE"] = "outbox_records"
            installation.environment["DIONYSUS_CAPTURE"] = "disabled"
            var capturing = installation
            capturing.environment["DIONYSUS_CAPTURE"] = nil

            // The application's tables come from the first migration, and the outbox from Ruby's.
            try await installation.write(Self.outbox(kind))
            let told = try await installation.run("validate")
            #expect(told.status == 1)
            try await installation.succeed("migrate")
            try await installation.write("ALTER TABLE outbox_records ADD COLUMN changeset text;")
            try await installation.succeed("migrate")
            try await installation.succeed("validate")
            try await installation.succeed("topics", "--create")
            try await installation.write(Self.records)
            let none = try await installation.succeed("outbox", "list")
            #expect(none.split(separator: "\n").count <= 1)

            // Ruby's callbacks capture.
            try await installation.write(
                Self.row("Account", "account_created", "v3_accounts")
                    + Self.row("Rental", "rental_created", "v3_rentals")
                    + Self.row("BookingsFee", "bookings_fee_created", "v3_bookings")
            )
            try await installation.replicateAndVerify()

            // Triggers capture.
            try await capturing.succeed("migrate")
            try await capturing.succeed("validate")
            try await capturing.write("UPDATE rentals SET name = 'Casa', price = 99; DELETE FROM bookings_fees;")
            try await capturing.replicateAndVerify()
            let failed = try await capturing.succeed("outbox", "list", "--failed")
            #expect(failed.split(separator: "\n").count <= 1)

            // And back: nothing is captured here, and Ruby's rows wait for Ruby's worker.
            try await installation.succeed("migrate")
            try await installation.write(
                "UPDATE rentals SET name = 'Villa';" + Self.row("Rental", "rental_updated", "v3_rentals")
            )
            let waiting = try await installation.succeed("outbox", "list", "--json")
            #expect(waiting.contains("rental_updated") && !waiting.contains("rental_created"))
            try await installation.replicateAndVerify()
        }
    }
}
