import ArgumentParser
import Dionysus
import DionysusConsumer

struct FailuresCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "failures",
            abstract:
                "Inspects and retries messages that the consumer could not apply.",
            discussion: """
                A failed message is recorded with its error. Depending on its topic's failure policy, later messages \
                of its key wait behind it: they are recorded too, untried, and are applied after it.
                """,
            subcommands: [
                FailuresListCommand<App>.self, FailuresShowCommand<App>.self, FailuresRetryCommand<App>.self,
                FailuresDeleteCommand<App>.self, FailuresReplayCommand<App>.self,
            ]
        )
    }
}

struct FailuresListCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list",
            abstract: "Lists recorded messages, oldest first.",
            discussion: """
                JSON: an object with failures, a list of objects as printed by `failures show` but without headers and \
                payload, and with more, whether the limit has truncated the list.
                """
        )
    }

    @Flag(help: "Only messages that have been tried.") var failed = false
    @Flag(help: "Only messages that wait behind another.") var waiting = false
    @Option(help: "Only messages of the topic with this full name.") var topic: String?
    @Option(help: "Only messages with this key: Rental:5.") var key: String?
    @Option(help: ArgumentHelp("Only messages whose last error is of this kind: constraint.", valueName: "kind"))
    var error: String?
    @Option(help: ArgumentHelp("Only messages with a higher id, for the next page.", valueName: "id")) var after: Int64?
    @Option(help: "Maximum number of messages.") var limit = 50
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
        if failed, waiting { throw ValidationError("--failed and --waiting exclude each other") }
    }

    func run() async throws {
        let filter = FailureFilter(
            state: failed ? .failed : waiting ? .waiting : nil,
            topic: topic,
            key: key,
            errorClass: error,
            after: after,
            limit: limit + 1
        )
        let found = try await ApplicationEnvironment<App>().withFailures { try await $0.list(filter) }
        let failures = found.prefix(limit)
        if json {
            let list = JSON.array(failures.map { .object($0.json) })
            print(JSON.object(["failures": list, "more": .bool(found.count > limit)]).text)
            return
        }
        print(
            tableText(
                ["ID", "STATE", "ATTEMPTS", "TOPIC", "PARTITION", "OFFSET", "KEY", "EVENT", "RECORDED", "ERROR"],
                failures.map { failure in
                    [
                        "\(failure.id)", failure.state.rawValue, "\(failure.attempts)", failure.source.topic,
                        "\(failure.source.partition)", "\(failure.offset)", failure.key?.shown(upTo: 60) ?? "-",
                        failure.eventType?.shown(upTo: 60) ?? "-", failure.createdAt?.iso8601(fractionDigits: 0) ?? "-",
                        failure.errorClass.shown(upTo: 60),
                    ]
                }
            )
        )
        if found.count > limit {
            printError("there are more than \(limit): raise --limit, filter, or continue with --after")
        }
    }
}

struct FailuresShowCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show",
            abstract: "Shows one recorded message: its error, its headers and its payload.",
            discussion: """
                Its state is failed or waiting. Bytes that aren't text are shown as base64. JSON: an object with id, \
                state, topic, partition, offset, key, size, entity_id, event_time, event_type, event_version, \
                attempts, error_class, error_message, error_details, created_at, retried_at, headers (a list of \
                objects with name and value) and payload, or payload_base64; missing values are null.
                """
        )
    }

    @Argument(help: "The failure's id.") var id: Int64
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let (id, environment) = (id, try ApplicationEnvironment<App>())
        let (failure, message) = try await environment.withFailures { failures in
            (try await failures.failure(id), try await failures.message(id))
        }
        guard let failure, let message else {
            throw DionysusError(.notFound, "there is no failure \(id)", advice: "`list` shows the existing ones")
        }
        var object = failure.json
        object["headers"] = .array(
            message.headers.map { .object(["name": .string($0.name), "value": .string($0.value.shown)]) }
        )
        if let value = message.value, String(validating: value, as: UTF8.self) == nil {
            object["payload_base64"] = .string(value.base64Encoded)
        } else {
            object["payload"] = message.value.map { .string(String(decoding: $0, as: UTF8.self)) } ?? .null
        }
        guard !json else { return print(JSON.object(object).text) }
        print(tableText(["FIELD", "VALUE"], object.members.map { [$0.name, Self.text($0.value)] }))
    }

    private static func text(_ value: JSON) -> String {
        switch value {
        case .null: "-"
        case .string(let text): text
        case .array(let elements): elements.isEmpty ? "-" : elements.map(header).joined(separator: ", ")
        default: value.text
        }
    }

    private static func header(_ value: JSON) -> String {
        guard case .string(let name)? = value["name"], case .string(let text)? = value["value"] else {
            return value.text
        }
        return "\(name)=\(text)"
    }
}

extension RecordedFailure {
    var json: JSON.Object {
        [
            "id": .integer(id), "state": .string(state.rawValue), "topic": .string(source.topic),
            "partition": .integer(Int64(source.partition)), "offset": .integer(offset), "key": JSON(key),
            "size": size.map { .integer(Int64($0)) } ?? .null, "entity_id": JSON(entityID),
            "event_time": JSON(eventTime?.description), "event_type": JSON(eventType),
            "event_version": eventVersion.map(JSON.integer) ?? .null, "attempts": .integer(Int64(attempts)),
            "error_class": .string(errorClass), "error_message": .string(errorMessage),
            "error_details": JSON(errorDetails), "created_at": JSON(createdAt?.description),
            "retried_at": JSON(retriedAt?.description),
        ]
    }
}

extension [UInt8] {
    /// The bytes as text if possible, otherwise as base64.
    fileprivate var shown: String { String(validating: self, as: UTF8.self) ?? base64Encoded }
}

extension String {
    /// The start of the text, for a table column.
    func shown(upTo limit: Int) -> String { String(String.UnicodeScalarView(unicodeScalars.prefix(limit))) }
}

extension ApplicationEnvironment {
    /// Runs a body with the consumer's failures, and closes database and broker afterwards.
    func withFailures<T>(_ body: (ConsumerFailures) async throws -> T) async throws -> T {
        try settings.require([.replica, .broker])
        let (replica, broker) = (try replica(), try broker())
        let failures = ConsumerFailures(
            application.consumer,
            database: replica,
            broker: broker,
            settings: settings.consumer,
            instrumentation: instrumentation,
            logger: logger
        )
        do {
            let result = try await body(failures)
            await broker.close()
            await replica.close()
            return result
        } catch {
            await broker.close()
            await replica.close()
            throw error
        }
    }
}
