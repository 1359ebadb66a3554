import ArgumentParser
import Dionysus
import DionysusConsumer

struct BackfillCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "backfill",
            abstract: "Fills columns of a replica from the payloads stored in its rows, in batches.",
            discussion: """
                Use it for columns that were added to a replica's table later. First restart the consumer, so that it \
                fills them from new messages; then run this while the consumer runs.

                It stores its progress: after it was stopped or killed, it resumes when started again with the same \
                columns. A row that the consumer changes meanwhile keeps the newer value. Rows whose payload lacks the \
                attribute (ABSENT), or whose value does not fit the column (REFUSED), are left unchanged.

                JSON: an object with table, columns, examined, assigned, absent, refused and refused_ids (of the first \
                ten).
                """
        )
    }

    @Argument(help: "The model's name on the wire, such as BookingsFee.") var model: String
    @Argument(help: ArgumentHelp("The columns.", valueName: "column")) var columns: [String]
    @Option(help: "Number of rows per transaction.") var batchSize = 500
    @Flag(help: "Start at the first row, even if an earlier run was interrupted.") var restart = false
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        guard !columns.isEmpty else { throw ValidationError("name at least one column") }
        guard (1...50_000).contains(batchSize) else { throw ValidationError("--batch-size must be from 1 to 50000") }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let replica = try environment.replica()
        let backfill = Backfill(
            environment.application.consumer,
            database: replica,
            settings: environment.settings.consumer,
            logger: environment.logger
        )
        do {
            let report = try await backfill.run(model, columns: columns, batchSize: batchSize, restarts: restart)
            print(json ? Self.json(report).text : Self.text(report))
            if report.refused > 0, !json {
                printError("refused: \(report.refusedIDs.joined(separator: ", "))\(report.hasMore ? ", …" : "")")
            }
        } catch {
            await replica.close()
            throw error
        }
        await replica.close()
    }

    private static func text(_ report: BackfillReport) -> String {
        tableText(
            ["TABLE", "COLUMNS", "EXAMINED", "ASSIGNED", "ABSENT", "REFUSED"],
            [
                [report.table, report.columns.joined(separator: ", ")]
                    + [report.examined, report.assigned, report.absent, report.refused].map(String.init)
            ]
        )
    }

    private static func json(_ report: BackfillReport) -> JSON {
        .object([
            "table": .string(report.table), "columns": .array(report.columns.map(JSON.string)),
            "examined": .integer(Int64(report.examined)), "assigned": .integer(Int64(report.assigned)),
            "absent": .integer(Int64(report.absent)), "refused": .integer(Int64(report.refused)),
            "refused_ids": .array(report.refusedIDs.map(JSON.string)),
        ])
    }
}

extension BackfillReport {
    fileprivate var hasMore: Bool { refused > refusedIDs.count }
}
