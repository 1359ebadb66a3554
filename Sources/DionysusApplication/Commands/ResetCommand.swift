public import ArgumentParser
public import Dionysus
import DionysusConsumer

struct ResetCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "reset",
            abstract: "Moves the consumer to another position in a topic, to replay or skip messages.",
            discussion: """
                It is refused while a consumer of the group runs; a killed one counts as running for ten seconds. With \
                --force the offsets are moved anyway, and a running consumer continues at the new position as soon as \
                the partition's next message arrives.

                A replay leaves the replica unchanged, except for missing records. Failures recorded at or after the \
                new position are deleted, because their messages are delivered again.

                Events in a topic's event log have been handled: delivered again, they change nothing and don't \
                restore records that the replica has lost. The command says so; --with-event-log deletes the events \
                from the new position on.

                JSON: a list of objects with topic, partition, from (null if no offset was stored), to, \
                failures_forgotten, events_forgotten and events_kept (those that change nothing when they are \
                delivered again).
                """
        )
    }

    @Option(help: "The topic's full name.") var topic: String
    @Option(help: "Only this partition.") var partition: Int32?
    @Option(
        help: ArgumentHelp(
            "The position: earliest, latest, an offset, or an ISO 8601 time (the first message not older than that).",
            valueName: "place"
        )
    )
    var to: StartPosition = .earliest
    @Flag(help: "Move the offsets even if a consumer of the group runs.") var force = false
    @Flag(help: "Also delete the events to be replayed from the event log, so that they are applied and handled again.")
    var withEventLog = false
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
        do {
            let resets = try await positions.reset(
                topic,
                partition: partition,
                to: to,
                forgetsEvents: withEventLog,
                force: force
            )
            print(json ? Self.json(resets).text : Self.text(resets))
            let kept = resets.reduce(0) { $0 + $1.eventsKept }
            if kept > 0 {
                printError(
                    "\(kept) events of \(topic) are in its event log as handled: delivered again they change nothing, and "
                        + "bring back no record that the replica has lost. Use --with-event-log to have them applied once more"
                )
            }
        } catch {
            await broker.close()
            await replica.close()
            guard let refusal = error as? DionysusError, refusal.code == .conflict, !force else { throw error }
            var advised = refusal
            advised.advice = [refusal.advice, "or use --force"].compactMap(\.self).joined(separator: ", ")
            throw advised
        }
        await broker.close()
        await replica.close()
    }

    private static func text(_ resets: [PositionReset]) -> String {
        tableText(
            ["TOPIC", "PARTITION", "FROM", "TO", "FAILURES FORGOTTEN"],
            resets.map { reset in
                [
                    reset.partition.topic, "\(reset.partition.partition)", reset.from.map { "\($0)" } ?? "-",
                    "\(reset.to)", "\(reset.failuresForgotten)",
                ]
            }
        )
    }

    private static func json(_ resets: [PositionReset]) -> JSON {
        .array(
            resets.map { reset in
                .object([
                    "topic": .string(reset.partition.topic),
                    "partition": .integer(Int64(reset.partition.partition)),
                    "from": reset.from.map(JSON.integer) ?? .null, "to": .integer(reset.to),
                    "failures_forgotten": .integer(Int64(reset.failuresForgotten)),
                    "events_forgotten": .integer(Int64(reset.eventsForgotten)),
                    "events_kept": .integer(Int64(reset.eventsKept)),
                ])
            }
        )
    }
}

extension StartPosition: ExpressibleByArgument {
    /// Parses `earliest`, `latest`, an offset or an ISO 8601 time.
    public init?(argument: String) {
        switch argument {
        case "earliest": self = .earliest
        case "latest": self = .latest
        default:
            if let offset = Int64(argument), offset >= 0 {
                self = .offset(offset)
            } else if let time = Timestamp(argument) {
                self = .time(time)
            } else {
                return nil
            }
        }
    }

    public var defaultValueDescription: String {
        switch self {
        case .earliest: "earliest"
        case .latest: "latest"
        case .offset(let offset): "\(offset)"
        case .time(let time): "\(time)"
        }
    }
}
