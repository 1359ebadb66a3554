import Dionysus
import TestSupport
import Testing

/// The command that shows what would be published.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct PreviewCommandTests {
    @Test("the preview is the message that the relay then sends", arguments: InstallationKind.available)
    func sameAsPublished(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("topics", "--create")
            try await installation.write(
                """
                INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15);
                INSERT INTO rentals (id, account_id, name, price) VALUES (2, 1, 'Räum\u{1b}lich', 12.5);
                INSERT INTO bookings (id, rental_id, start_at, base_price)
                  VALUES (3, 2, '2026-05-01T10:00:00Z', 100);
                INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (4, 3, 'Cleaning', 2.25);
                """
            )
            let places = [
                ("v3_accounts", "Account", "1"), ("v3_rentals", "Rental", "2"), ("v3_bookings", "Booking", "3"),
            ]
            try await installation.succeed("relay", "--until-empty")
            for (topic, model, id) in places {
                let preview = try await installation.preview(topic, model, id)
                let sent = try await installation.withBroker { try await readAll(topic, from: $0) }.last
                // A created record is previewed as an update; otherwise they are equal.
                #expect(preview["value"]?.payload == sent?.payload, "\(model)")
                #expect(preview["value"]?.payload != nil)
                #expect(preview["key"] == .string("\(model):\(id)"))
                #expect(
                    preview["headers"]?.names == [.string(HeaderName.eventID), .string(HeaderName.version)]
                )
            }
            #expect(try await installation.preview("v3_rentals", "Rental", "2")["partition_key"] == .string("1"))
            #expect(try await installation.preview("v3_bookings", "Booking", "3")["partition_key"] == .string("2"))
            let account = try await installation.preview("v3_accounts", "Account", "1")
            #expect(account["topics"] == .array([.string("v3_accounts"), .string("v3_accounts_genesis")]))
            #expect(account["value"]?.event == .string("account_updated"))

            let text = try await installation.succeed("preview", "v3_rentals", "Rental", "2")
            #expect(text.contains("Rental:2") && text.contains("Räum\\u001blich"))
            #expect(!text.unicodeScalars.contains("\u{1b}"))

            // Nothing was written, so there is nothing to publish; a soft-deleted record is previewed as destroyed.
            try await installation.write("UPDATE rentals SET canceled_at = '2026-05-01T10:00:00Z' WHERE id = 2;")
            #expect(
                try await installation.preview("v3_rentals", "Rental", "2")["value"]?.event
                    == .string("rental_destroyed")
            )
            let before = try await installation.withBroker { try await readRaw("v3_rentals", from: $0).count }
            try await installation.succeed("relay", "--until-empty")
            let after = try await installation.withBroker { try await readRaw("v3_rentals", from: $0).count }
            #expect(after == before + 1)
        }
    }

    @Test("a missing record is reported on one line", arguments: InstallationKind.available)
    func missing(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            let result = try await installation.run("preview", "v3_rentals", "Rental", "7")
            #expect(result.status == 1)
            #expect(result.output.isEmpty)
            #expect(result.errors.split(separator: "\n").count == 1)
            #expect(result.errors.contains("there is no Rental with the primary key 7"))
        }
    }

    @Test(
        "impossible topics, models and ids are wrong usage, for previews and tombstones",
        arguments: [
            (["v3_ghosts", "Account", "1"], "there is no declared topic v3_ghosts"),
            (["v3_accounts", "Ghost", "1"], "does not publish a model Ghost"),
            (["v3_bookings", "BookingsFee", "1"], "only as a part of Booking"),
            (["v3_accounts", "Account", "one"], "'one' can't be a primary key of Account"),
            (["v3_accounts", "Account"], "id"),
        ]
    )
    func wrongUsage(_ arguments: [String], _ message: String) async throws {
        try await Installation.with(.embedded) { installation in
            try await installation.succeed("migrate")
            for command in ["preview", "tombstone"] {
                let result = try await installation.run([command] + arguments)
                #expect(result.status == 64)
                #expect(result.errors.contains(message), "\(command): \(result.errors)")
            }
            #expect(try await installation.succeed("preview", "--help").contains("JSON: an object"))
        }
    }

    @Test("a failing serializer and a database without tables are reported")
    func faults() async throws {
        try await Installation.with(.embedded) { installation in
            let empty = try await installation.run("preview", "v3_rentals", "Rental", "1")
            #expect(empty.status == 1)
            #expect(empty.errors.contains("there is no table rentals"))
        }
    }
}

extension Installation {
    fileprivate func preview(_ topic: String, _ model: String, _ id: String) async throws -> JSON {
        try JSON(parsing: Array(try await succeed("preview", topic, model, id, "--json").utf8))
    }
}

extension JSON {
    private var first: JSON? {
        guard case .array(let elements) = self else { return nil }
        return elements.first
    }

    /// The first event's first payload.
    fileprivate var payload: JSON? { self["message"]?.first?["data"]?.first }

    /// The first event's name.
    fileprivate var event: JSON? { self["message"]?.first?["event"] }

    fileprivate var names: [JSON]? {
        guard case .array(let elements) = self else { return nil }
        return elements.compactMap { $0["name"] }
    }
}
