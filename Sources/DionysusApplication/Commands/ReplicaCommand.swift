import ArgumentParser
import Dionysus
import DionysusConsumer

struct ReplicaCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "replica",
            abstract: "Repairs records of the replica, and takes over another replica's group.",
            subcommands: [ForgetVersionCommand<App>.self, TakeOverCommand<App>.self]
        )
    }
}

struct ForgetVersionCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "forget-version",
            abstract: "Makes a record accept its next message, whatever the version and time.",
            discussion: """
                Use it for a record that accepted, or was destroyed by, a message with a version or time too far in \
                the future, and has ignored all messages since. Afterwards publish the record again (genesis).

                The replica forgets the record's version and times, that it was destroyed, and the versions of the \
                members of relationships that it replaces or links. Other columns are unchanged. A consumer can run at \
                the same time.

                Exits with 64 if the model has no replica or nothing is known of the record. JSON: an object with \
                model, id, records, members and destructions, the numbers of affected rows.
                """
        )
    }

    @Argument(help: "The model's name on the wire, such as BookingsFee.") var model: String
    @Argument(help: "The record's id at the source.") var id: String
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let replica = try environment.replica()
        let records = ReplicaRecords(
            environment.application.consumer,
            database: replica,
            settings: environment.settings.consumer
        )
        let result: ForgottenVersions
        do {
            result = try await records.forgetVersion(of: model, id: id)
        } catch let error as DionysusError where error.code == .notFound || error.code == .malformed {
            await replica.close()
            printError("Error: \(error)")
            throw ExitCode.validationFailure
        } catch {
            await replica.close()
            throw error
        }
        await replica.close()
        print(json ? json(of: result).text : text(of: result))
    }

    private func text(of result: ForgottenVersions) -> String {
        tableText(
            ["MODEL", "ID", "RECORDS", "MEMBERS", "DESTRUCTIONS"],
            [[model, id] + [result.records, result.members, result.destructions].map(String.init)]
        )
    }

    private func json(of result: ForgottenVersions) -> JSON {
        .object([
            "model": .string(model), "id": .string(id), "records": .integer(Int64(result.records)),
            "members": .integer(Int64(result.members)), "destructions": .integer(Int64(result.destructions)),
        ])
    }
}
