import ArgumentParser
import Dionysus
import DionysusConsumer

struct TakeOverCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "take-over",
            abstract: "Takes over the consumer group of a replica that this one replaces.",
            discussion: """
                A consumer group belongs to one replica: consumers of two replicas in one group would share the \
                messages, and each replica would miss some. So a consumer refuses a group whose offsets another \
                replica has committed. Use this command for a new database that permanently replaces another one. The \
                other replica's consumer stops within seconds.

                No messages are read or skipped: each replica continues from its own database, and a new one starts at \
                the beginning. The command is refused while a consumer of this replica runs, which would stop; --force \
                proceeds anyway.

                JSON: an object with group, identity (of this replica from now on) and replaced, a list of identities, \
                empty if the group belonged to no other replica.
                """
        )
    }

    @Flag(help: "Proceed even if a consumer of this replica runs.") var force = false
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.replica, .broker])
        let (replica, broker) = (try environment.replica(), try environment.broker())
        let positions = ConsumerPositions(
            environment.application.consumer,
            database: replica,
            broker: broker,
            settings: environment.settings.consumer
        )
        let takeover: GroupTakeover
        do {
            takeover = try await positions.takeOverGroup(force: force)
        } catch {
            await broker.close()
            await replica.close()
            throw error
        }
        await broker.close()
        await replica.close()
        print(json ? Self.json(takeover).text : Self.text(takeover))
    }

    private static func text(_ takeover: GroupTakeover) -> String {
        guard !takeover.replaced.isEmpty else { return "the group \(takeover.group) belongs to no other replica" }
        let others = takeover.replaced.map { $0.uuidString.lowercased() }.joined(separator: ", ")
        return
            "the group \(takeover.group) is now that of the replica \(takeover.identity.uuidString.lowercased()), in the "
            + "place of \(others)"
    }

    private static func json(_ takeover: GroupTakeover) -> JSON {
        .object([
            "group": .string(takeover.group), "identity": .string(takeover.identity.uuidString.lowercased()),
            "replaced": .array(takeover.replaced.map { .string($0.uuidString.lowercased()) }),
        ])
    }
}
