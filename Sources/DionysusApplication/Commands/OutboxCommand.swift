import ArgumentParser
import Dionysus
import DionysusProducer

struct OutboxCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "outbox",
            abstract: "Inspects the outbox, and retries or discards its rows.",
            discussion: """
                A row is pending until it is published. One that fails is retried after growing delays, and its \
                record's later rows wait behind it; after the last attempt it is parked and no longer blocks anything.
                """,
            subcommands: [
                OutboxStatsCommand<App>.self, OutboxListCommand<App>.self, OutboxShowCommand<App>.self,
                OutboxRetryCommand<App>.self, OutboxDiscardCommand<App>.self, OutboxPruneCommand<App>.self,
            ]
        )
    }
}

struct OutboxStatsCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "stats",
            abstract: "Counts rows by topic and state.",
            discussion: """
                OLDEST is the waiting time of the oldest unpublished row; parked rows don't count. The whole table is \
                read, including retained published rows.

                JSON: an object with topics, a list of objects with topic, pending, retrying, parked, published and \
                oldest_age (in seconds, or null), with total, the sums over all topics, and with models, a list of \
                objects with topic, model and reason: those that a relay can't publish at the moment.
                """
        )
    }

    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let (topics, refused) = try await ApplicationEnvironment<App>()
            .inspectingOutbox { (try await $0.statistics(), try await $0.refusedModels()) }
        let total = Counts(
            name: "total",
            pending: topics.map(\.pending).reduce(0, +),
            retrying: topics.map(\.retrying).reduce(0, +),
            parked: topics.map(\.parked).reduce(0, +),
            published: topics.map(\.published).reduce(0, +),
            oldestAge: topics.compactMap(\.oldestAge).max()
        )
        let rows = topics.map(Counts.init)
        if json {
            let models = refused.map { refusal in
                JSON.object([
                    "topic": .string(refusal.topic), "model": .string(refusal.modelName),
                    "reason": .string(refusal.reason),
                ])
            }
            print(
                JSON.object([
                    "topics": .array(rows.map { $0.json(named: true) }), "total": total.json(named: false),
                    "models": .array(models),
                ])
                .text
            )
        } else {
            print(
                tableText(
                    ["TOPIC", "PENDING", "RETRYING", "PARKED", "PUBLISHED", "OLDEST"],
                    (rows + [total]).map(\.cells)
                )
            )
            for refusal in refused {
                print("\(refusal.modelName) is not published in \(refusal.topic): \(refusal.reason)")
            }
        }
    }

    private struct Counts {
        var name: String
        var pending: Int
        var retrying: Int
        var parked: Int
        var published: Int
        var oldestAge: Duration?

        init(name: String, pending: Int, retrying: Int, parked: Int, published: Int, oldestAge: Duration?) {
            self.name = name
            self.pending = pending
            self.retrying = retrying
            self.parked = parked
            self.published = published
            self.oldestAge = oldestAge
        }

        init(_ topic: OutboxStatistics) {
            self.init(
                name: topic.topic,
                pending: topic.pending,
                retrying: topic.retrying,
                parked: topic.parked,
                published: topic.published,
                oldestAge: topic.oldestAge
            )
        }

        var cells: [String] {
            [name] + [pending, retrying, parked, published].map(String.init)
                + [oldestAge.map { "\($0.components.seconds) s" } ?? "-"]
        }

        func json(named: Bool) -> JSON {
            var object: JSON.Object = named ? ["topic": .string(name)] : [:]
            let counts = [("pending", pending), ("retrying", retrying), ("parked", parked), ("published", published)]
            for (name, count) in counts { object[name] = .integer(Int64(count)) }
            object["oldest_age"] = oldestAge.map { .integer($0.components.seconds) } ?? .null
            return .object(object)
        }
    }
}

struct OutboxListCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list",
            abstract: "Lists unpublished rows, oldest first.",
            discussion: """
                JSON: an object with rows, a list of objects as printed by `outbox show`, and with more, whether the \
                limit has truncated the list.
                """
        )
    }

    @Flag(help: "Only rows whose last attempt failed, including parked ones.") var failed = false
    @Flag(help: "Only rows that have used up their attempts.") var parked = false
    @Option(help: "Only rows for the topic with this full name.") var topic: String?
    @Option(help: "Only rows of this model.") var model: String?
    @Option(help: "Maximum number of rows.") var limit = 50
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
    }

    func run() async throws {
        let filter = OutboxFilter(
            scope: failed ? .failed : parked ? .parked : .unpublished,
            topic: topic,
            modelName: model,
            limit: limit + 1
        )
        let found = try await ApplicationEnvironment<App>().inspectingOutbox { try await $0.entries(filter) }
        let entries = found.prefix(limit)
        if json {
            let rows = JSON.array(entries.map { $0.json })
            print(JSON.object(["rows": rows, "more": .bool(found.count > limit)]).text)
            return
        }
        print(
            tableText(
                ["ID", "STATE", "ATTEMPTS", "TOPIC", "RECORD", "EVENT", "CREATED", "RETRY", "ERROR"],
                entries.map { entry in
                    [
                        "\(entry.id)", entry.state.rawValue, "\(entry.attempts)", entry.topic,
                        "\(entry.modelName):\(entry.recordID)", entry.eventName,
                        entry.createdAt?.iso8601(fractionDigits: 0) ?? "-",
                        entry.retryAt?.iso8601(fractionDigits: 0) ?? "-", entry.errorClass ?? "-",
                    ]
                }
            )
        )
        if found.count > limit { printError("there are more than \(limit): raise --limit, or filter") }
    }
}

struct OutboxShowCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show",
            abstract: "Shows one row: its state, its error, and the names of changed columns.",
            discussion: """
                Its state is pending, retrying, parked or published. JSON: an object with id, state, topic, model, \
                record_id, event, partition_key, attempts, changed_columns, created_at, published_at, failed_at, \
                retry_at, error_class, error_message and origin; missing values are null.
                """
        )
    }

    @Argument(help: "The row's id.") var id: Int64
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        guard let entry = try await ApplicationEnvironment<App>().inspectingOutbox({ try await $0.entry(id) }) else {
            throw DionysusError(.notFound, "the outbox has no row \(id)", advice: "`list` shows the existing ones")
        }
        guard !json else { return print(entry.json.text) }
        guard case .object(let object) = entry.json else { return }
        print(tableText(["FIELD", "VALUE"], object.members.map { [$0.name, Self.text($0.value)] }))
    }

    private static func text(_ value: JSON) -> String {
        switch value {
        case .null: "-"
        case .string(let text): text
        case .array(let elements): elements.isEmpty ? "-" : elements.map(text).joined(separator: ", ")
        default: value.text
        }
    }
}

extension OutboxEntry {
    var json: JSON {
        .object([
            "id": .integer(id), "state": .string(state.rawValue), "topic": .string(topic),
            "model": .string(modelName), "record_id": .string(recordID), "event": .string(eventName),
            "partition_key": JSON(partitionKey), "attempts": .integer(Int64(attempts)),
            "changed_columns": .array(changedColumns.map(JSON.string)),
            "created_at": JSON(createdAt?.description), "published_at": JSON(publishedAt?.description),
            "failed_at": JSON(failedAt?.description), "retry_at": JSON(retryAt?.description),
            "error_class": JSON(errorClass), "error_message": JSON(errorMessage), "origin": JSON(origin),
        ])
    }
}

extension JSON {
    init(_ text: String?) { self = text.map(JSON.string) ?? .null }
}

extension ApplicationEnvironment {
    /// Runs a body with an inspector of the source's outbox, and closes the database afterwards.
    func inspectingOutbox<T>(_ body: (OutboxInspector) async throws -> T) async throws -> T {
        let source = try source()
        do {
            let result = try await body(OutboxInspector(database: source))
            await source.close()
            return result
        } catch {
            await source.close()
            throw error
        }
    }
}
