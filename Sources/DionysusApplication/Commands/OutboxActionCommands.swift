import ArgumentParser
import Dionysus
import DionysusProducer

struct OutboxRetryCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "retry",
            abstract: "Makes failed and parked rows due now, and resets their attempts.",
            discussion: """
                As always, the record's current state is published; a parked row that is retried late can't restore an \
                old state. A relay has to run to publish it.

                Exits with 1 if any of the rows could not be retried; the others have been. JSON: a list of objects \
                with id and outcome: done, notFound, published or notFailed.
                """
        )
    }

    @Argument(help: ArgumentHelp("The rows' ids.", valueName: "id")) var ids: [Int64]
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let outcomes = try await ApplicationEnvironment<App>().inspectingOutbox { try await $0.retry(ids) }
        try report(outcomes, done: "is due now", json: json)
    }
}

struct OutboxDiscardCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "discard",
            abstract: "Discards failed and parked rows: marks them as published, with a note.",
            discussion: """
                The record's later rows continue without them, and the row stays with its error until retention \
                removes it. The record's next message publishes its change; if there is none, consumers never see it.

                Exits with 1 if any of the rows could not be discarded; the others have been. JSON: a list of objects \
                with id and outcome: done, notFound, published or notFailed.
                """
        )
    }

    @Argument(help: ArgumentHelp("The rows' ids.", valueName: "id")) var ids: [Int64]
    @Option(help: "The reason, which is stored with the row.") var reason: String?
    @Flag(help: "Include rows that have not failed.") var force = false
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let outcomes = try await ApplicationEnvironment<App>()
            .inspectingOutbox {
                try await $0.discard(ids, force: force, reason: reason)
            }
        try report(outcomes, done: "is discarded", json: json)
    }
}

struct OutboxPruneCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "prune",
            abstract: "Deletes published rows that are older than an age, in small transactions.",
            discussion: """
                Unpublished rows are kept, however old they are. A relay does the same automatically if \
                DIONYSUS_RETENTION is set. JSON: an object with deleted.
                """
        )
    }

    @Option(help: ArgumentHelp("The age: \(Age.form).", valueName: "age")) var olderThan: Age
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let deleted = try await ApplicationEnvironment<App>()
            .inspectingOutbox {
                try await $0.prune(olderThan: olderThan.duration)
            }
        print(json ? JSON.object(["deleted": .integer(Int64(deleted))]).text : "\(deleted) rows deleted")
    }
}

/// Prints the outcome for each row; rows that could not be changed go to standard error.
private func report(
    _ outcomes: [(id: Int64, outcome: OutboxInspector.Outcome)],
    done: String,
    json: Bool
) throws {
    if json {
        let rows = outcomes.map { JSON.object(["id": .integer($0.id), "outcome": .string($0.outcome.rawValue)]) }
        print(JSON.array(rows).text)
    } else {
        for (id, outcome) in outcomes {
            switch outcome {
            case .done: print("row \(id) \(done)")
            case .notFound: printError("row \(id) does not exist")
            case .published: printError("row \(id) has already been published")
            case .notFailed: printError("row \(id) has not failed: it is published in its turn")
            }
        }
    }
    guard outcomes.allSatisfy({ $0.outcome == .done }) else { throw ExitCode.failure }
}
