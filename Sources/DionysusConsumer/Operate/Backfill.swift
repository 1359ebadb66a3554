public import Dionysus
public import Logging

/// Assigns columns of a replica from the payloads that its rows keep in `synced_data`.
///
/// A column that is added to a replica's table is filled by the messages that come from then on. A backfill fills it in
/// the rows that are there already, without reading the topic again:
///
///     let backfill = Backfill(RentalMirror(), database: database, settings: settings)
///     let report = try await backfill.run("Rental", columns: ["bedrooms"])
///
/// It works in small transactions and remembers how far it is, so that it goes on there after it was stopped or killed.
/// It can run beside a consumer, and beside itself: a batch locks its rows, so that a row has either the value of the
/// payload it keeps or that of the newer message. A consumer that was started before the column existed does not fill
/// it; start it again first.
public struct Backfill: Sendable {
    private let database: any Database
    private let catalogue: ReplicaCatalogue
    private let names: ReplicaColumnNames
    private let retry: RetryLoop

    /// Creates a backfill.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - database: The database with the replica.
    ///   - settings: The settings, which name the columns that Dionysus fills.
    ///   - logger: Where it logs that the database is away.
    public init(
        _ consumer: some Consumer,
        database: any Database,
        settings: ConsumerSettings = ConsumerSettings(),
        logger: Logger = Logger(label: "dionysus.backfill")
    ) {
        self.database = database
        catalogue = ReplicaCatalogue(
            database: database,
            factory: ModelFactory(consumer, settings),
            settings: settings,
            logger: nil
        )
        names = settings.columns
        retry = RetryLoop(maximumDelay: settings.maxRetryDelay, observer: RetryLog(LoggingErrorHandler(logger)))
    }

    /// Goes over all rows of a replica, or over those that an earlier run for the same columns has not reached.
    ///
    /// A row is left as it is where its payload lacks the attribute, where the value does not fit the column, and where
    /// the database refuses it.
    /// - Parameters:
    ///   - model: The model's name on the wire.
    ///   - columns: The columns to assign.
    ///   - batchSize: How many rows a transaction looks at.
    ///   - restarts: Whether it begins with the first row even if an earlier run was stopped.
    ///   - onProgress: Called after each transaction.
    /// - Returns: What was done, also by the earlier run that this one has continued.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if the model has no replica; `declaration` if the replica lacks a
    ///   column, if it keeps no payloads, or if a column can't be assigned from them; `configuration` for a batch size
    ///   below one; what `onProgress` throws; `CancellationError`. The batches before that stay done.
    @discardableResult
    public func run(
        _ model: String,
        columns: [String],
        batchSize: Int = 500,
        restarts: Bool = false,
        onProgress: (@Sendable (BackfillReport) async throws -> Void)? = nil
    ) async throws -> BackfillReport {
        guard batchSize >= 1 else {
            throw DionysusError(.configuration, "a backfill can't take \(batchSize) rows at once", advice: "take 500")
        }
        let step = try await step(model, columns, batchSize)
        try await retry.run("begin a backfill") {
            try await database.transaction(.write) { try step.begin(restarts: restarts, in: &$0) }
        }
        while true {
            try Task.checkCancellation()
            let report = try await retry.run("backfill \(model)") {
                try await database.transaction(.write) { try step.run(in: &$0) }
            }
            try await onProgress?(report)
            if report.isFinished { return report }
        }
    }

    private func step(_ model: String, _ columns: [String], _ batchSize: Int) async throws -> BackfillStep {
        let tables = try await retry.run("look up the replica") { try await catalogue.tables(of: [model]) }
        guard let table = tables[model] else {
            throw DionysusError(
                .notFound,
                "the model \(model) has no replica in the database",
                advice: "name a model as it is on the wire, such as BookingsFee"
            )
        }
        let keeping = table.declaration.payloadKeeping
        guard let data = keeping == nil ? table.data : table.id else {
            throw DionysusError(
                .declaration,
                "table \(table.name) has no column \(names.data) that keeps payloads",
                advice: "reset the topic instead, or publish the model again"
            )
        }
        guard !columns.isEmpty else {
            throw DionysusError(
                .configuration,
                "no column is named",
                advice: "name at least one column of \(table.name)"
            )
        }
        return BackfillStep(
            table: table,
            data: data,
            keeping: keeping,
            columns: try Set(columns).sorted().map { try column($0, of: table) },
            names: names,
            batchSize: batchSize
        )
    }

    private func column(_ name: String, of table: ReplicaTable) throws -> ReplicaColumn {
        guard let column = table.columns[name] else {
            throw DionysusError(
                .declaration,
                "table \(table.name) has no column \(name) that can be written",
                advice: "add it, or correct its name"
            )
        }
        guard
            [table.createdAt, table.updatedAt, table.canceledAt].contains(column)
                || table.payloadNames(of: name).contains(where: { table.column(ofPayload: $0) == column })
        else {
            throw DionysusError(
                .declaration,
                "column \(name) of table \(table.name) is not assigned from payloads",
                advice: "name a column that holds an attribute or a link"
            )
        }
        return column
    }
}

/// Logs what is tried again.
private struct RetryLog: RetryObserver {
    private let errorHandler: LoggingErrorHandler

    init(_ errorHandler: LoggingErrorHandler) { self.errorHandler = errorHandler }

    func failed(
        _ error: DionysusError,
        to activity: String,
        _ partition: TopicPartition?,
        attempt: Int,
        _ trouble: inout Trouble?
    ) {
        errorHandler.handle(error, ErrorContext(activity, attempt: attempt))
    }

    func recovered(from trouble: Trouble?) {}
}
