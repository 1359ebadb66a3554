import ArgumentParser
import Dionysus
import DionysusConsumer

struct EventsCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "events",
            abstract: "Inspects the log of handled events, and handles events again.",
            discussion: """
                Topics with an event log store every event they handle, until retention (DIONYSUS_EVENT_RETENTION) \
                removes it. The events are those of this application's group.
                """,
            subcommands: [EventsListCommand<App>.self, EventsShowCommand<App>.self, EventsRetryCommand<App>.self]
        )
    }
}

struct EventsListCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list",
            abstract: "Lists events, in the order in which they were first handled.",
            discussion: """
                JSON: an object with events, a list of objects as printed by `events show`, and with more, whether the \
                limit has truncated the list.
                """
        )
    }

    @Option(help: "Only events of the topic with this full name.") var topic: String?
    @Option(help: "Only events of this model.") var model: String?
    @Option(help: "Only events about the record with this id.") var entity: String?
    @Option(help: "Only events of this type, such as rental_updated.") var type: String?
    @Option(help: "Only events with a higher id: the next page.") var after: Int64 = 0
    @Option(help: "Maximum number of events.") var limit = 50
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
    }

    func run() async throws {
        let filter = EventLogFilter(
            topic: topic,
            modelName: model,
            entityID: entity,
            type: type,
            afterID: after,
            limit: limit + 1
        )
        let found = try await ApplicationEnvironment<App>().lookingIntoEvents { try await $0.list(filter) }
        let events = found.prefix(limit)
        if json {
            let list = JSON.array(events.map(\.json))
            print(JSON.object(["events": list, "more": .bool(found.count > limit)]).text)
            return
        }
        print(
            tableText(
                ["ID", "TOPIC", "PARTITION", "OFFSET", "TYPE", "ENTITY", "VERSION", "TIME", "ATTEMPTS", "HANDLED"],
                events.map { event in
                    [
                        "\(event.id)", event.source.topic, "\(event.source.partition)", "\(event.offset)", event.type,
                        event.entityID ?? "-", event.version.map { "\($0)" } ?? "-",
                        event.time?.iso8601(fractionDigits: 0) ?? "-", "\(event.attempts)",
                        event.handledAt.iso8601(fractionDigits: 0),
                    ]
                }
            )
        )
        if found.count > limit { printError("there are more than \(limit): raise --limit, or filter") }
    }
}

struct EventsShowCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show",
            abstract: "Shows one event with its payload.",
            discussion: """
                JSON: an object with id, group, topic, partition, offset, number, key, model, entity_id, event_time, \
                event_type, event_version, checksum, headers, payload, attempts, created_at and handled_at; missing \
                values are null.
                """
        )
    }

    @Argument(help: "The event's id.") var id: Int64
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        guard let event = try await ApplicationEnvironment<App>().lookingIntoEvents({ try await $0.event(id) }) else {
            throw DionysusError(.notFound, "the event log has no event \(id)", advice: "`list` shows the existing ones")
        }
        guard !json else { return print(event.json.text) }
        guard case .object(let object) = event.json else { return }
        print(tableText(["FIELD", "VALUE"], object.members.map { [$0.name, Self.text($0.value)] }))
    }

    private static func text(_ value: JSON) -> String {
        switch value {
        case .null: "-"
        case .string(let text): text
        default: value.text
        }
    }
}

struct EventsRetryCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "retry",
            abstract: "Handles events again, in the order of their positions in the topic.",
            discussion: """
                Each event has its own transaction, and goes through filters, persistence and handlers as it did when \
                it was consumed. An event that is older than its record changes nothing in the replica, but its \
                handlers still run. A consumer can run at the same time.

                Exits with 1 if any of the events could not be handled; the others have been. JSON: a list of objects \
                with id, outcome (done, notFound, skipped or failed) and error.
                """
        )
    }

    @Argument(help: ArgumentHelp("The events' ids.", valueName: "id")) var ids: [Int64]
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let outcomes = try await ApplicationEnvironment<App>().lookingIntoEvents { try await $0.retry(ids) }
        if json {
            let list = outcomes.map { outcome in
                JSON.object([
                    "id": .integer(outcome.id), "outcome": .string(outcome.outcome.name),
                    "error": outcome.outcome.error.map { .string($0.description) } ?? .null,
                ])
            }
            print(JSON.array(list).text)
        } else {
            for (id, outcome) in outcomes {
                switch outcome {
                case .done: print("event \(id) was handled")
                case .notFound: printError("event \(id) does not exist")
                case .skipped: printError("event \(id) is rejected by a filter")
                case .failed(let error): printError("event \(id) failed: \(error)")
                }
            }
        }
        let areDone = outcomes.allSatisfy { if case .done = $0.outcome { true } else { false } }
        guard areDone else { throw ExitCode.failure }
    }
}

extension ConsumerEvents.Outcome {
    fileprivate var name: String {
        switch self {
        case .done: "done"
        case .notFound: "notFound"
        case .skipped: "skipped"
        case .failed: "failed"
        }
    }

    fileprivate var error: DionysusError? { if case .failed(let error) = self { error } else { nil } }
}

extension LoggedEvent {
    fileprivate var json: JSON {
        .object([
            "id": .integer(id), "group": .string(group), "topic": .string(source.topic),
            "partition": .integer(Int64(source.partition)), "offset": .integer(offset),
            "number": .integer(Int64(number)), "key": JSON(key.map { String(decoding: $0, as: UTF8.self) }),
            "model": .string(model), "entity_id": JSON(entityID), "event_time": JSON(time?.description),
            "event_type": .string(type), "event_version": version.map(JSON.integer) ?? .null,
            "checksum": .string(checksum),
            "headers": .object(
                JSON.Object(
                    headers.map { JSON.Object.Member($0.name, .string(String(decoding: $0.value, as: UTF8.self))) }
                )
            ),
            "payload": (try? JSON(parsing: Array(payload.utf8))) ?? .string(payload),
            "attempts": .integer(Int64(attempts)), "created_at": .string(createdAt.description),
            "handled_at": .string(handledAt.description),
        ])
    }
}

extension ApplicationEnvironment {
    /// Runs a body with the event log of the application's group, and closes the database afterwards.
    fileprivate func lookingIntoEvents<T>(_ body: (ConsumerEvents) async throws -> T) async throws -> T {
        let replica = try replica()
        do {
            let events = try await ConsumerEvents(
                application.consumer,
                database: replica,
                settings: settings.consumer,
                instrumentation: instrumentation,
                logger: logger
            )
            let result = try await body(events)
            await replica.close()
            return result
        } catch {
            await replica.close()
            throw error
        }
    }
}
