import ArgumentParser
import Dionysus
import DionysusConsumer

struct FailuresRetryCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "retry",
            abstract: "Retries recorded messages, and those that wait behind them.",
            discussion: """
                A message goes through the same stages as a consumed one: if a later message has made it outdated, it \
                changes nothing. A message that fails again stays, with one more attempt and the new error. A consumer \
                can run at the same time.

                Exits with 1 if any of the messages, or any that waited behind it, could not be applied; the others \
                have been. JSON: a list of objects with id, outcome (applied, failed, waiting or notFound), error, \
                behind (the failure that it waits behind), released (the number of applied messages that waited behind \
                it) and stopped_at (the one behind it that failed).
                """
        )
    }

    @Argument(help: ArgumentHelp("The failures' ids.", valueName: "id")) var ids: [Int64] = []
    @Flag(help: "All current failures, each once.") var all = false
    @Option(help: "All failures of the topic with this full name.") var topic: String?
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        let choices = [!ids.isEmpty, all, topic != nil].filter(\.self).count
        guard choices == 1 else { throw ValidationError("give the ids of failures, or --all, or --topic") }
    }

    func run() async throws {
        let (ids, topic) = (ids, topic)
        let results = try await ApplicationEnvironment<App>()
            .withFailures { failures in
                ids.isEmpty ? try await failures.retryAll(topic: topic) : try await failures.retry(ids)
            }
        if json {
            print(JSON.array(results.map(\.json)).text)
        } else {
            for result in results { Self.tell(result) }
            if results.isEmpty { print("there is nothing to retry") }
        }
        guard results.allSatisfy({ $0.outcome == .applied && $0.stoppedAt == nil }) else { throw ExitCode.failure }
    }

    private static func tell(_ result: FailureRetry) {
        switch result.outcome {
        case .applied:
            let behind = result.released > 0 ? ", and \(result.released) that waited behind it" : ""
            print("failure \(result.id) is applied\(behind)")
        case .failed: printError("failure \(result.id) failed again: \((result.error ?? "").shown(upTo: 500))")
        case .waiting:
            let other = result.behind.map { " \($0)" } ?? ""
            printError("failure \(result.id) waits behind failure\(other): retry or delete that one first")
        case .notFound: printError("failure \(result.id) does not exist")
        }
        if let other = result.stoppedAt { printError("failure \(other), which waited behind it, failed") }
    }
}

extension FailureRetry {
    fileprivate var json: JSON {
        .object([
            "id": .integer(id), "outcome": .string(outcome.rawValue), "error": JSON(error),
            "behind": behind.map(JSON.integer) ?? .null, "released": .integer(Int64(released)),
            "stopped_at": stoppedAt.map(JSON.integer) ?? .null,
        ])
    }
}

struct FailuresDeleteCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "delete",
            abstract: "Discards recorded messages, so that they are never applied.",
            discussion: """
                Messages that waited behind a deleted one stay, and are applied when the first of them is retried.

                Exits with 1 if any of the failures does not exist; the others have been deleted. JSON: a list of \
                objects with id and outcome: deleted or notFound.
                """
        )
    }

    @Argument(help: ArgumentHelp("The failures' ids.", valueName: "id")) var ids: [Int64]
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let ids = ids
        let deleted = try await ApplicationEnvironment<App>().withFailures { try await $0.delete(ids) }
        if json {
            let outcomes = ids.map { id in
                JSON.object(["id": .integer(id), "outcome": .string(deleted.contains(id) ? "deleted" : "notFound")])
            }
            print(JSON.array(outcomes).text)
        } else {
            for id in ids {
                if deleted.contains(id) {
                    print("failure \(id) is deleted")
                } else {
                    printError("failure \(id) does not exist")
                }
            }
        }
        guard ids.allSatisfy(deleted.contains) else { throw ExitCode.failure }
    }
}

struct FailuresReplayCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "replay",
            abstract: "Applies the messages of a dead-letter topic as if they came from their original topics.",
            discussion: """
                It continues where it last stopped, and ends at the topic's current end. A message that fails again is \
                recorded as a failure and not sent to the topic again. Messages of other groups are skipped.

                Exits with 1 if any message failed again. JSON: an object with applied, recorded (those that failed \
                again) and foreign (those of other groups).
                """
        )
    }

    @Argument(help: "The full name of the dead-letter topic: dead_messages.") var topic: String
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let topic = topic
        let summary = try await ApplicationEnvironment<App>()
            .withFailures { try await $0.replayDeadLetters(of: topic) }
        if json {
            let counts: JSON.Object = [
                "applied": .integer(Int64(summary.applied)), "recorded": .integer(Int64(summary.recorded)),
                "foreign": .integer(Int64(summary.foreign)),
            ]
            print(JSON.object(counts).text)
        } else {
            print("\(summary.applied) applied, \(summary.foreign) of other groups skipped")
            if summary.recorded > 0 {
                printError("\(summary.recorded) failed again: `failures list` shows them")
            }
        }
        if summary.recorded > 0 { throw ExitCode.failure }
    }
}
