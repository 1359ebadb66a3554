import Dionysus
import Foundation
import TestSupport
import Testing

/// The commands that write, check and use the contract.
@Suite(.timeLimit(.minutes(10)))
struct ContractCommandTests {
    @Test("the contract describes what is published, deterministically, in all its forms")
    func contract() async throws {
        try await Installation.with(.embedded) { installation in
            let text = try await installation.succeed("contract")
            #expect(try await installation.succeed("contract") == text)
            let document = try JSON(parsing: Array(text.utf8))
            guard case .array(let topics)? = document["topics"] else {
                Issue.record("no topics: \(text)")
                return
            }
            #expect(topics.map { $0["name"] } == ["v3_accounts", "v3_bookings", "v3_rentals"])
            #expect(topics.map { $0["partition_key"] } == ["id", "rental_id", "account_id"])
            #expect(text.contains(#"{ "name": "final_price", "type": "decimal", "nullable": false, "scale": 2 }"#))
            #expect(text.contains(#"{ "name": "check_in_time", "type": "integer", "nullable": true }"#))
            for form in ["json-schema", "avro", "asyncapi"] {
                let other = try await installation.succeed("contract", "--format", form, "--topic", "v3_rentals")
                _ = try JSON(parsing: Array(other.utf8))
                #expect(other.contains("check_in_time"))
                #expect(!other.contains("final_price"))
            }
            #expect(try await installation.succeed("contract", "--format", "markdown").contains("### Booking"))
        }
    }

    @Test("a contract that breaks its consumers exits with 1 and a line for each change")
    func check() async throws {
        try await withTemporaryDirectory { directory in
            try await Installation.with(.embedded) { installation in
                let file = "\(directory)/contract.json"
                try await installation.succeed("contract", "--write", file)
                try await installation.succeed("contract", "--check", file)
                try await installation.succeed("contract", "--check", file, "--mode", "full")
                let text = try String(contentsOfFile: file, encoding: .utf8)
                let earlier = text.replacing(
                    #"{ "name": "bedrooms", "type": "integer", "nullable": false }"#,
                    with: """
                        { "name": "bedrooms", "type": "string", "nullable": false },
                        { "name": "stars", "type": "integer", "nullable": true }
                        """
                )
                try earlier.write(toFile: file, atomically: true, encoding: .utf8)
                let result = try await installation.run("contract", "--check", file)
                #expect(result.status == 1)
                #expect(
                    result.output == """
                        topic v3_rentals, model Rental, attribute bedrooms: type changed from string to integer
                        topic v3_rentals, model Rental, attribute stars: removed

                        """
                )
                let wrong = try await installation.run("contract", "--check", file, "--format", "avro")
                #expect(wrong.status == 64)
                let missing = try await installation.run("contract", "--check", "\(directory)/none.json")
                #expect(missing.status == 1)
                #expect(missing.errors.contains("none.json"))
                let topic = try await installation.run("contract", "--topic", "rentals")
                #expect(topic.status == 1)
                #expect(topic.errors.contains("v3_rentals"))
            }
        }
    }

    @Test("the tables of a contract fit a replica", arguments: InstallationKind.available)
    func replicaTables(_ kind: InstallationKind) async throws {
        try await withTemporaryDirectory { directory in
            try await Installation.with(kind) { installation in
                let file = "\(directory)/contract.json"
                try await installation.succeed("contract", "--write", file)
                let dialect = kind == .embedded ? "sqlite" : "postgres"
                let script = try await installation.succeed("replica-tables", "--from", file, "--sql", dialect)
                // The example's own migration leaves existing tables alone.
                try await installation.writeReplica(script)
                try await installation.succeed("migrate")
                try await installation.succeed("validate")
                try await installation.succeed("seed", "--accounts", "3", "--rentals", "9", "--bookings", "20")
                try await installation.replicateAndVerify()
                let types = try await installation.succeed("replica-tables", "--from", file, "--swift")
                #expect(types.contains("var syncedRentalID: Int?"))
            }
        }
    }

    @Test("the replica is compared with a contract", arguments: InstallationKind.available)
    func validate(_ kind: InstallationKind) async throws {
        try await withTemporaryDirectory { directory in
            try await Installation.with(kind) { installation in
                let file = "\(directory)/contract.json"
                try await installation.succeed("migrate")
                let text = try await installation.succeed("contract")
                try text.write(toFile: file, atomically: true, encoding: .utf8)
                var contracted = installation
                contracted.environment["DIONYSUS_CONTRACT"] = file
                try await contracted.succeed("validate")
                let other = text.replacing(
                    #""name": "bedrooms", "type": "integer""#,
                    with: #""name": "bedrooms", "type": "timestamp""#
                )
                #expect(other != text)
                try other.write(toFile: file, atomically: true, encoding: .utf8)
                let result = try await contracted.run("validate")
                #expect(result.status == 1)
                #expect(result.errors.contains("bedrooms") && result.errors.contains("v3_rentals"), "\(result.errors)")
            }
        }
    }

    @Test("managed tables get the columns that a contract adds", arguments: InstallationKind.available)
    func managed(_ kind: InstallationKind) async throws {
        try await withTemporaryDirectory { directory in
            try await Installation.with(kind) { installation in
                let file = "\(directory)/contract.json"
                try await installation.succeed("migrate")
                let text = try await installation.succeed("contract")
                let more = text.replacing(
                    #"{ "name": "bedrooms","#,
                    with: #"{ "name": "stars", "type": "integer", "nullable": true }, { "name": "bedrooms","#
                )
                #expect(more != text)
                try more.write(toFile: file, atomically: true, encoding: .utf8)
                var managed = installation
                managed.environment["DIONYSUS_CONTRACT"] = file
                managed.environment["DIONYSUS_REPLICA_TABLES"] = "managed"
                let output = try await managed.succeed("migrate")
                #expect(output.contains("added column stars to table rentals"))
                let again = try await managed.succeed("migrate")
                #expect(!again.contains("added column"))
                try await managed.succeed("seed", "--accounts", "2", "--rentals", "4", "--bookings", "4")
                try await managed.replicateAndVerify()

                managed.environment["DIONYSUS_CONTRACT"] = "\(directory)/none.json"
                let missing = try await managed.run("migrate")
                #expect(missing.status == 1)
                #expect(missing.errors.contains("DIONYSUS_CONTRACT"))
            }
        }
    }
}
