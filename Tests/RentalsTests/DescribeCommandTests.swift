import Dionysus
import Foundation
import TestSupport
import Testing

/// The command that shows the declaration.
@Suite(.timeLimit(.minutes(10)))
struct DescribeCommandTests {
    @Test("the outline has each model's dependencies, observations and partition key")
    func text() async throws {
        try await Installation.with(.embedded) { installation in
            let text = try await installation.succeed("describe")
            #expect(text.contains("v3_accounts (and v3_accounts_genesis)"))
            #expect(text.contains("Rental (table rentals), partitioned by account_id"))
            #expect(
                text.contains("observes Account (default_check_in_time) by accounts.id → rentals.account_id")
            )
            #expect(text.contains("with BookingsFee by bookings.id → bookings_fees.booking_id"))
            #expect(text.contains("sent to dead_messages after 2 retries"))
            #expect(text.contains("replaces bookings_fees by synced_booking_id"))
        }
    }

    @Test("the JSON report has the same content")
    func json() async throws {
        try await Installation.with(.embedded) { installation in
            let output = try await installation.succeed("describe", "--json")
            let report = try JSON(parsing: Array(output.utf8))
            guard case .array(let topics)? = report["published"], case .array(let consumed)? = report["consumed"],
                case .array(let replicas)? = report["replicas"]
            else {
                Issue.record("no report: \(output)")
                return
            }
            #expect(
                topics.map { $0["topic"] } == [.string("v3_accounts"), .string("v3_rentals"), .string("v3_bookings")]
            )
            #expect(topics.map { $0["genesis_topic"] } == [.string("v3_accounts_genesis"), .null, .null])
            let rental = topics[1].models.first
            #expect(rental?["partition_key"] == .string("account_id"))
            #expect(
                rental?["attributes"]
                    == .array(
                        ["id", "name", "price", "bedrooms", "check_in_time", "canceled_at", "created_at", "updated_at"]
                            .map(JSON.string)
                    )
            )
            #expect(
                rental?["observes"]
                    == .array([
                        .object([
                            "model": .string("Account"), "attributes": .array([.string("default_check_in_time")]),
                            "through": .string("accounts.id → rentals.account_id"),
                        ])
                    ])
            )
            let booking = topics[2].models.first
            #expect(booking?["partition_key"] == .string("rental_id"))
            #expect(
                booking?["with"]
                    == .array([
                        .object([
                            "model": .string("BookingsFee"),
                            "through": .string("bookings.id → bookings_fees.booking_id"), "with": .array([]),
                        ])
                    ])
            )
            #expect(consumed.map { $0["dead_letters"] } == [.null, .string("dead_messages"), .string("dead_messages")])
            #expect(replicas.map { $0["table"] } == [.string("bookings")])
        }
    }

    @Test("the chart for Mermaid has an edge for each publication, part and observation")
    func mermaid() async throws {
        try await Installation.with(.embedded) { installation in
            let chart = try await installation.succeed("describe", "--mermaid")
            let lines = chart.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
            #expect(lines.first == "flowchart LR")
            func node(_ label: String) -> String {
                lines.first { $0.contains("\"\(label)\"") && !$0.contains("--") && !$0.contains("-.") }
                    .map { String($0.prefix { $0.isLetter || $0.isNumber }) } ?? "none"
            }
            let (account, rental) = (node("Account"), node("Rental"))
            #expect(lines.contains("\(rental) -->|\"by account_id\"| \(node("v3_rentals"))"))
            #expect(lines.contains("\(account) -.->|\"changes of default_check_in_time\"| \(rental)"))
            #expect(lines.contains("\(node("BookingsFee")) -->|\"part of\"| \(node("Booking"))"))
            #expect(lines.contains("\(account) --> \(node("v3_accounts_genesis"))"))
            #expect(lines.contains("\(node("v3_bookings")) --> \(node("consumer"))"))
        }
    }

    @Test("the file that it writes is right, and publishes what needs no code")
    func yaml() async throws {
        try await Installation.with(.embedded) { installation in
            let text = try await installation.succeed("describe", "--yaml")
            #expect(text.contains("#   v3, serializer of Booking: the attribute final_price, which code computes"))
            try await withTemporaryDirectory { directory in
                let file = "\(directory)/rentals.yml"
                try text.write(toFile: file, atomically: true, encoding: .utf8)
                let program = Installation.executable(named: "dionysus").path
                func dionysus(_ arguments: String...) async throws -> RunningProcess.Result {
                    try await RunningProcess(program, arguments, environment: installation.environment).result()
                }
                #expect(try await dionysus("-f", file, "check").output.contains("is right"))
                #expect(try await dionysus("-f", file, "describe", "--yaml").output.contains("final_price") == false)
                try await installation.succeed("migrate")
                try await installation.write(
                    "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'A ☃', 15);"
                )
                let byCode = try await installation.succeed("preview", "v3_accounts", "Account", "1")
                let byFile = try await dionysus("-f", file, "preview", "v3_accounts", "Account", "1")
                #expect(
                    byFile.output.replacing(/"(message_id|created_at)":"[^"]*"/, with: "")
                        == byCode.replacing(/"(message_id|created_at)":"[^"]*"/, with: ""),
                    "\(byFile.errors)"
                )
                // The file that stands beside the code says what the code does, too.
                let whole = try await dionysus("-f", Installation.file, "describe", "--yaml")
                try whole.output.write(toFile: file, atomically: true, encoding: .utf8)
                #expect(
                    try await dionysus("-f", file, "contract").output
                        == dionysus("-f", Installation.file, "contract").output
                )
            }
        }
    }

    @Test("it asks the database what SQL attributes read")
    func observers() async throws {
        try await Installation.with(.embedded, declaredBy: .file) { installation in
            try await installation.succeed("migrate")
            let text = try await installation.succeed("describe", "--observers")
            #expect(
                text.contains(
                    "for final_price observes bookings_fees (amount, booking_id) by bookings_fees.booking_id → bookings.id"
                ),
                "\(text)"
            )
            #expect(try await !installation.succeed("describe").contains("for final_price"))
        }
    }

    @Test("it needs neither databases nor a broker, and reports wrong usage")
    func usage() async throws {
        try await Installation.with(.embedded) { installation in
            var away = installation
            away.environment["SOURCE_DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/none"
            away.environment["REPLICA_DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/none"
            away.environment["DIONYSUS_SEED_BROKER"] = "127.0.0.1:1"
            away.environment["DIONYSUS_TOPIC_PREFIX"] = "east_"
            let text = try await away.succeed("describe")
            #expect(text.contains("east_v3_rentals"))
            let both = try await installation.run("describe", "--json", "--mermaid")
            #expect(both.status == 64)
            let help = try await installation.succeed("describe", "--help")
            #expect(help.contains("JSON: an object"))
        }
    }
}

extension JSON {
    fileprivate var models: [JSON] {
        guard case .array(let models)? = self["models"] else { return [] }
        return models
    }
}
