import Dionysus
import Foundation
import TestSupport
import Testing

/// The example without code does what it does with code.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct WithoutCodeTests {
    @Test("code and file publish the same to the byte", arguments: InstallationKind.available)
    func sameMessages(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { code in
            let file = code.declared(by: .file)
            try await code.succeed("migrate")
            try await code.succeed("topics", "--create")
            try await code.write(
                """
                INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme & <Co> ☃ "x"', 15), (2, 'B', NULL);
                INSERT INTO rentals (id, account_id, name, price, bedrooms, own_check_in_time) VALUES
                  (1, 1, 'Villa', 12.5, 3, NULL), (2, 1, 'Casa', 0, 1, 9), (3, 2, '', 99999999.99, 0, NULL);
                INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES
                  (1, 1, '2026-05-01T10:00:00.123456Z', 100), (2, 2, '2026-05-02T10:00:00Z', 0.1);
                INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES
                  (1, 1, 'Cleaning', 2.25), (2, 1, 'Pets', 10), (3, 1, 'Rounding', 0.1);
                UPDATE rentals SET canceled_at = '2026-05-03T00:00:00Z' WHERE id = 3;
                """
            )
            try await code.succeed("relay", "--until-empty")
            let first = try await published(code)
            try await touchAll(code, day: 1)
            try await code.succeed("relay", "--until-empty")
            let byCode = try await published(code).newer(than: first)
            let second = try await published(code)
            try await file.succeed("migrate")
            #expect(try await !file.succeed("plan").contains("source: would have"))
            try await touchAll(code, day: 2)
            try await file.succeed("relay", "--until-empty")
            let byFile = try await published(code).newer(than: second)
            #expect(byCode.count >= 7)
            #expect(byCode == byFile)
        }
    }

    @Test("both have the same contract, and the file's needs no database")
    func contract() async throws {
        try await Installation.with(.embedded) { code in
            var file = code.declared(by: .file)
            let expected = try await code.succeed("contract")
            file.environment = [:]
            #expect(try await file.succeed("contract") == expected)
            #expect(try await file.succeed("check").contains("is right"))
        }
    }

    @Test("bulk writes by other programs are replicated", arguments: InstallationKind.all)
    func bulk(_ kind: InstallationKind) async throws {
        try await Installation.with(kind, declaredBy: .file) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("migrate")
            let counts = ["--accounts", "20", "--rentals", "2000", "--bookings", "500", "--fees", "1000"]
            let seeded = try await installation.run(["seed"] + counts)
            #expect(seeded.status == 0, "\(seeded.errors)")
            try await installation.replicateAndVerify()
            try await installation.write("UPDATE rentals SET price = price + 1;")
            try await installation.write("UPDATE accounts SET default_check_in_time = 11;")
            try await installation.write("UPDATE bookings_fees SET amount = amount + 0.5 WHERE id % 2 = 0;")
            try await installation.write("DELETE FROM bookings_fees WHERE id % 3 = 0;")
            try await installation.replicateAndVerify()
            #expect(try await installation.succeed("validate").contains("fits"))
        }
    }

    @Test("relay and consumer are killed, and nothing is lost", arguments: InstallationKind.available)
    func kills(_ kind: InstallationKind) async throws {
        try await Installation.with(kind, declaredBy: .file) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed")
            let traffic = try installation.start("traffic", "--rate", "100", "--seconds", "6")
            var relay = try installation.start("relay")
            var consumer = try installation.start("consume")
            var random = SystemRandomNumberGenerator()
            for _ in 0..<4 {
                // The test is about the time of the kill, so it is random instead of an event.
                try await ContinuousClock().sleep(for: .milliseconds(Int.random(in: 300...1_200, using: &random)))
                await relay.killAndWait()
                relay = try installation.start("relay")
                await consumer.killAndWait()
                consumer = try installation.start("consume")
            }
            #expect(await traffic.result().status == 0)
            for service in [relay, consumer] {
                let result = await service.terminate()
                // One that has not begun yet ends by the signal.
                #expect([0, 143].contains(result.status), "\(result.errors)")
            }
            try await installation.replicateAndVerify()
        }
    }

    // MARK: Messages

    /// A message without what is different every time.
    private struct Content: Hashable {
        let topic: String
        let partition: Int32
        let key: String
        let headers: [String]
        /// The payload, to the byte.
        let text: String
    }

    private struct Log {
        let messages: [String: [PublishedMessage]]

        /// What came after another state of the log, each message as text without its id and time.
        func newer(than earlier: Log) -> Set<Content> {
            var contents: Set<Content> = []
            for (topic, all) in messages {
                let known = Dictionary(grouping: earlier.messages[topic] ?? [], by: \.partition).mapValues(\.count)
                for (partition, messages) in Dictionary(grouping: all, by: \.partition) {
                    for message in messages.dropFirst(known[partition] ?? 0) {
                        let text = message.text
                            .replacing(/"(message_id|created_at|generated_at|timestamp)":"[^"]*"/, with: "")
                            .replacing(/"updated_at":"[^"]*"/, with: "")
                        contents.insert(
                            Content(
                                topic: topic,
                                partition: partition,
                                key: message.key,
                                headers: message.headers.keys.sorted(),
                                text: text
                            )
                        )
                    }
                }
            }
            return contents
        }
    }

    private func published(_ installation: Installation) async throws -> Log {
        try await installation.withBroker { broker in
            var messages: [String: [PublishedMessage]] = [:]
            for topic in ["v3_accounts", "v3_accounts_genesis", "v3_rentals", "v3_bookings"] {
                messages[topic] = try await readAll(topic, from: broker)
            }
            return Log(messages: messages)
        }
    }

    /// Changes the time of every record.
    private func touchAll(_ installation: Installation, day: Int) async throws {
        for table in ["accounts", "rentals", "bookings", "bookings_fees"] {
            try await installation.write("UPDATE \(table) SET updated_at = '2026-06-0\(day)T00:00:00Z';")
        }
    }
}
