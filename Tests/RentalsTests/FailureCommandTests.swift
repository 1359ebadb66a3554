import Dionysus
import TestSupport
import Testing

/// The commands that inspect and retry messages that could not be applied.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct FailureCommandTests {
    private static let account = #"{"id":7,"name":"Acme","default_check_in_time":"noon","links":{}}"#
    private static let rental = #"{"id":8,"name":"By the sea","check_in_time":"noon","links":{"account":7}}"#

    private static func publish(_ installation: Installation, _ topic: String, _ key: String, _ value: String)
        async throws
    {
        try await installation.withBroker { broker in
            let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
            let message = OutgoingMessage(
                topic: topic,
                destination: .partition(0),
                key: Array(key.utf8),
                value: Array(value.utf8)
            )
            for result in await producer.send([message]) { _ = try result.get() }
            await producer.close(deadline: .seconds(10))
        }
    }

    private static func event(_ name: String, _ model: String, _ payload: String) -> String {
        #"{"message":[{"event":"\#(name)","model_name":"\#(model)","data":[\#(payload)]}]}"#
    }

    /// Runs a script on the replica with another program, and returns its output.
    @discardableResult
    private static func onReplica(of installation: Installation, _ script: String) async throws -> String {
        let url = installation.environment["REPLICA_DATABASE_URL"] ?? ""
        let (program, arguments) =
            url.hasPrefix("sqlite:")
            ? ("sqlite3", ["-bail", "-cmd", ".timeout 30000", String(url.dropFirst("sqlite:".count))])
            : ("psql", ["-qtA", "-v", "ON_ERROR_STOP=1", url])
        let result = try await RunningProcess(program, arguments, environment: [:], input: script).result()
        #expect(result.status == 0, "\(program): \(result.errors)")
        return result.output
    }

    private static func failures(_ installation: Installation, _ filter: String...) async throws -> [JSON] {
        let result = try await installation.run(["failures", "list", "--json"] + filter)
        #expect(result.status == 0, "\(result.errors)")
        guard case .array(let failures)? = try JSON(parsing: Array(result.output.utf8))["failures"] else { return [] }
        return failures
    }

    @Test("failed messages are listed, shown, retried, replayed and deleted", arguments: InstallationKind.all)
    func story(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await Self.publish(
                installation,
                "v3_accounts",
                "Account:7",
                Self.event("account_created", "Account", Self.account)
            )
            try await Self.publish(
                installation,
                "v3_rentals",
                "Rental:8",
                Self.event("rental_created", "Rental", Self.rental)
            )
            let consumer = try await installation.run("consume", "--until-caught-up")
            #expect(consumer.status == 0)
            #expect(consumer.errors.contains("column default_check_in_time") && !consumer.errors.contains("noon"))

            let found = try await Self.failures(installation)
            guard found.count == 1, case .integer(let id)? = found[0]["id"] else {
                Issue.record("not one failure: \(found)")
                return
            }
            #expect(found[0]["topic"] == .string("v3_accounts") && found[0]["attempts"] == .integer(1))
            #expect(found[0]["key"] == .string("Account:7") && found[0]["error_class"] == .string("type_mismatch"))
            #expect(try await Self.failures(installation, "--topic", "v3_rentals").isEmpty)
            #expect(try await Self.failures(installation, "--key", "Account:7", "--failed").count == 1)
            #expect(try await installation.succeed("failures", "list").contains("Account:7"))
            let shown = try await installation.succeed("failures", "show", "\(id)")
            #expect(shown.contains(Self.account) && shown.contains("column default_check_in_time"))

            let again = try await installation.run("failures", "retry", "\(id)")
            #expect(again.status == 1 && again.errors.contains("failure \(id) failed again"))
            #expect(!again.errors.contains("noon"))
            #expect(try await Self.failures(installation).first?["attempts"] == .integer(2))

            try await Self.onReplica(
                of: installation,
                """
                ALTER TABLE accounts DROP COLUMN default_check_in_time;
                ALTER TABLE accounts ADD COLUMN default_check_in_time text;
                ALTER TABLE rentals DROP COLUMN check_in_time;
                ALTER TABLE rentals ADD COLUMN check_in_time text;
                """
            )
            #expect(try await installation.succeed("failures", "retry", "\(id)") == "failure \(id) is applied\n")
            let accounts = try await Self.onReplica(
                of: installation,
                "SELECT synced_id, name, default_check_in_time FROM accounts;"
            )
            #expect(accounts == "7|Acme|noon\n")
            let gone = try await installation.run("failures", "retry", "\(id)")
            #expect(gone.status == 1 && gone.errors == "failure \(id) does not exist\n")
            #expect(try await installation.succeed("failures", "retry", "--all") == "there is nothing to retry\n")

            let replayed = try await installation.succeed("failures", "replay", "dead_messages", "--json")
            #expect(replayed == "{\"applied\":1,\"recorded\":0,\"foreign\":0}\n")
            let rentals = try await Self.onReplica(of: installation, "SELECT synced_id, check_in_time FROM rentals;")
            #expect(rentals == "8|noon\n")
            let twice = try await installation.succeed("failures", "replay", "dead_messages")
            #expect(twice == "0 applied, 0 of other groups skipped\n")

            try await Self.publish(installation, "v3_accounts", "Account:9", "no JSON")
            try await installation.succeed("consume", "--until-caught-up")
            guard case .integer(let other)? = try await Self.failures(installation).first?["id"] else {
                Issue.record("no failure")
                return
            }
            let failed = try await installation.run("failures", "retry", "--topic", "v3_accounts", "--json")
            #expect(failed.status == 1 && failed.output.contains(#""outcome":"failed""#))
            #expect(
                try await installation.succeed("failures", "delete", "\(other)") == "failure \(other) is deleted\n"
            )
            let missing = try await installation.run("failures", "delete", "\(other)")
            #expect(missing.status == 1 && missing.errors == "failure \(other) does not exist\n")
            #expect(try await Self.failures(installation).isEmpty)
        }
    }

    @Test(
        "wrong usage exits with 64 and says what is wrong",
        arguments: [
            (["failures", "retry"], "--all"),
            (["failures", "retry", "1", "--all"], "--topic"),
            (["failures", "retry", "--all", "--topic", "v3_rentals"], "--topic"),
            (["failures", "retry", "one"], "'one' is invalid"),
            (["failures", "delete"], "id"),
            (["failures", "show", "one"], "'one' is invalid"),
            (["failures", "list", "--limit", "0"], "--limit must be from 1 to 100000"),
            (["failures", "list", "--failed", "--waiting"], "exclude each other"),
            (["failures", "replay"], "topic"),
            (["failures", "nonsense"], "nonsense"),
        ]
    )
    func usage(_ arguments: [String], _ message: String) async throws {
        try await Installation.with(.embedded) { installation in
            let result = try await installation.run(arguments)
            #expect(result.status == 64)
            #expect(result.errors.contains(message), "\(result.errors)")
        }
    }

    @Test("missing failures and missing tables are one line", arguments: InstallationKind.available)
    func missing(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            let notMigrated = try await installation.run("failures", "list")
            #expect(notMigrated.status == 1)
            #expect(
                notMigrated.errors
                    == "Error: there is no table of failures in the database, or an old one: run migrate first\n"
            )
            try await installation.succeed("migrate")
            let none = try await installation.run("failures", "show", "7")
            #expect(none.status == 1 && none.errors.hasPrefix("Error: there is no failure 7"))
            let noTopic = try await installation.run("failures", "replay", "nowhere")
            #expect(noTopic.status == 1 && noTopic.errors == "Error: there is no topic nowhere\n")
        }
    }

    @Test("every command has help", arguments: ["list", "show", "retry", "delete", "replay"])
    func help(_ command: String) async throws {
        try await Installation.with(.embedded) { installation in
            let help = try await installation.succeed("failures", command, "--help")
            #expect(help.contains("OVERVIEW") && help.contains("JSON: ") && help.contains("--json"))
        }
    }
}
