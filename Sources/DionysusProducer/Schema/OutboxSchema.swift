public import Dionysus
public import Logging

/// Creates, upgrades and removes the outbox and the triggers that fill it.
public struct OutboxSchema: Sendable {
    /// How long a statement waits for a table that writers or readers hold, before it lets them pass and tries again.
    private static let lockTimeout = Duration.seconds(1)

    let database: any CapturingDatabase
    let registry: Registry
    private let logger: Logger

    /// Creates the schema of a producer.
    /// - Parameters:
    ///   - database: The database whose changes are captured.
    ///   - registry: What is published.
    ///   - logger: Logs that it waits for a table.
    public init(
        database: any CapturingDatabase,
        registry: Registry,
        logger: Logger = Logger(label: "dionysus.migrate")
    ) {
        self.database = database
        self.registry = registry
        self.logger = logger
    }

    /// What migrating has changed, or would change.
    public struct Report: Sendable, Hashable {
        /// A line for each change, in the past tense; empty if everything was as it should be.
        public var changes: [String] = []
        /// What an administrator should know, a line each.
        public var warnings: [String] = []

        package init(changes: [String] = [], warnings: [String] = []) {
            self.changes = changes
            self.warnings = warnings
        }
    }

    /// Creates or upgrades the outbox and installs the triggers; safe to repeat.
    ///
    /// What fits already is not touched. Each table is migrated in a transaction of its own, in one order, and no
    /// statement keeps writers waiting for longer than a second: it tries again later.
    /// - Parameter lanes: How many lanes the outbox gets.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` when the declaration does not fit the database.
    @discardableResult
    public func migrate(lanes: Int) async throws -> Report {
        let registry = try await registry.withDerivedObservers(from: database)
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        var report = Report()
        if try await createOutbox(lanes: lanes) { report.changes.append("created or upgraded the outbox's tables") }
        let capture = try await captureReport(registry, catalogue)
        try throwFaults(capture.faults)
        report.warnings = capture.warnings
        for difference in capture.differences {
            try await change(difference.statements)
            report.changes.append(difference.change)
        }
        let outbox = database.outbox
        try await database.exclusively("dionysus:migrate", logger: logger) { try outbox.raiseVersion(in: &$0) }
        return report
    }

    /// What ``migrate(lanes:)`` would change; nothing is changed.
    /// - Parameter lanes: How many lanes the outbox would get.
    /// - Returns: The changes that would be made.
    /// - Throws: As ``migrate(lanes:)``.
    package func plannedMigration(lanes: Int) async throws -> Report {
        let registry = try await registry.withDerivedObservers(from: database)
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        let created = "created or upgraded the outbox's tables"
        let (isBeside, isComplete) = try await database.transaction(.snapshot) { [self] transaction in
            try requireShape(in: &transaction)
            _ = try formerOutbox(in: &transaction)
            return (
                try isCreatedBeside(in: &transaction),
                try Self.isComplete(database.outbox.tables, lanes: lanes, in: &transaction)
            )
        }
        if isBeside {
            let tables = CaptureInstallation(registry, catalogue, database).request.tables.map(\.table)
            return Report(changes: [created] + tables.map { "installed capture triggers on \($0)" })
        }
        let capture = try await captureReport(registry, catalogue)
        try throwFaults(capture.faults)
        return Report(
            changes: (isComplete ? [] : [created]) + capture.differences.map(\.change),
            warnings: capture.warnings
        )
    }

    /// Removes the triggers, the outbox and everything else that ``migrate(lanes:)`` made.
    /// - Parameter discardsUnpublished: Whether it does so although rows are not published, which then never are.
    /// - Throws: ``/Dionysus/DionysusError``: `conflict` if there are such rows and they are not to be lost.
    public func uninstall(discardsUnpublished: Bool = true) async throws {
        let outbox = database.outbox
        let tables = outbox.tables
        let timeout = outbox.lockTimeout(Self.lockTimeout)
        try await database.exclusively("dionysus:migrate", logger: logger) { transaction in
            // A table that is no outbox is somebody's data, and an outbox that was never migrated another program's.
            if let table = try transaction.describe(table: tables.path),
                let fault = try OutboxShape.fault(of: table, enforcesTypes: false)
                    ?? OutboxPlace.fault(tables, in: &transaction)
            {
                throw DionysusError(.declaration, fault)
            }
            guard try transaction.describe(table: tables.path("dionysus_meta")) != nil else { return }
            if !timeout.isEmpty { try transaction.run(timeout) }
            let installed = try outbox.captureReport(CaptureRequest(tables: []), in: &transaction).differences
            let ofMessages = try outbox.messageTablesReport([], in: &transaction).differences
            for difference in installed + ofMessages { try transaction.run(difference.statements) }
            // Without triggers, so that no row can come any more.
            if !discardsUnpublished, try transaction.describe(table: tables.path) != nil {
                try Self.refuse(UnpublishedRows(transaction.run(Outbox.unpublishedCounts(tables)).first))
            }
            try transaction.run(
                outbox.removal() + GenesisSchema.removal(tables) + StoredMessageSchema.removal(tables)
                    + PollSchema.removal(tables) + transaction.dialect.lockRemoval
            )
        }
    }

    private static func refuse(_ rows: UnpublishedRows) throws {
        guard rows.total > 0 else { return }
        throw DionysusError(
            .conflict,
            "the outbox has rows that are not published: \(rows.pending) pending, \(rows.retrying) retrying, "
                + "\(rows.parked) parked",
            advice: "let a relay publish them, retry or discard those that failed, or lose them with --force"
        )
    }

    /// What of the declaration does not fit the database, a line each.
    /// - Returns: All faults, also tables whose triggers are missing.
    public func validate() async throws -> [String] {
        let registry = try await registry.withDerivedObservers(from: database)
        let catalogue = try await Catalogue.read(for: registry, from: database)
        let installed = CaptureInstallation(registry, catalogue, database)
        let faults = registry.faults(in: catalogue)
        // An encoding can be looked at only where there is something to be written.
        let ofEncodings = faults.isEmpty ? try RecordEncodings.faults(registry, catalogue) : []
        return try await faults + ofEncodings
            + database.transaction(.snapshot) { [database, registry] transaction in
                try installed.faults(in: &transaction) + hiddenRows(registry, database, in: &transaction)
                    + (try transaction.describe(table: database.outbox.tables.path) == nil
                        ? [] : database.outbox.outboxFaults(in: &transaction))
            }
    }

    /// What SQL attributes observe, as it is derived from the database, a line for each table of each.
    package func derivedObservers() async throws -> [String] {
        let registry = try await registry.withDerivedObservers(from: database)
        return registry.publications.flatMap(\.sqlReads.observers).map(\.description).withoutRepetitions
    }

    /// What of the declaration may fail for some rows, a line each: a column that takes null for a property that isn't optional,
    /// or that holds more than the property does.
    package func warnings() async throws -> [String] {
        let catalogue = try await Catalogue.read(for: registry, from: database)
        return try await database.transaction(.snapshot) { [registry] in try registry.warnings(in: catalogue, &$0) }
    }

    /// - Returns: Whether anything was created.
    private func createOutbox(lanes: Int) async throws -> Bool {
        let outbox = database.outbox
        let tables = outbox.tables
        let timeout = outbox.lockTimeout(Self.lockTimeout)
        return try await database.exclusively("dionysus:migrate", logger: logger) { transaction in
            let isBeside = try isCreatedBeside(in: &transaction)
            try requireShape(in: &transaction)
            // Creating what is there already would wait for those who use it.
            if !isBeside, try Self.isComplete(tables, lanes: lanes, in: &transaction) {
                try transaction.run(outbox.upkeep() + claim)
                return false
            }
            if !timeout.isEmpty { try transaction.run(timeout) }
            let former = try formerOutbox(in: &transaction)
            try transaction.run(outbox.creation(beside: isBeside))
            let isOfThisVersion = try OutboxVersion.isThis(tables, in: &transaction)
            try transaction.run(GenesisSchema.creation(tables, transaction.dialect))
            try transaction.run(StoredMessageSchema.creation(tables, transaction.dialect))
            try transaction.run(PollSchema.creation(tables, transaction.dialect))
            let notes: [SQL] = [
                // Notes of earlier versions.
                "DELETE FROM \(tables.meta) WHERE name LIKE 'capture:%'",
                "DELETE FROM \(tables.meta) WHERE name = \(OutboxPlace.note)",
                "INSERT INTO \(tables.meta) (name, value) VALUES (\(OutboxPlace.note), \(tables.name))",
            ]
            try transaction.run(OutboxVersion.noting(tables) + notes)
            let current = try Outbox.laneCount(tables, in: &transaction)
            // The marks of lanes are ids of one table.
            if current != lanes || former != nil {
                try transaction.run([
                    "DELETE FROM \(tables.lanes)",
                    "INSERT INTO \(tables.lanes) (lane) SELECT lane FROM \(Self.numbers(lanes, transaction.dialect))",
                ])
            }
            if current != lanes || former != nil || !isOfThisVersion {
                try transaction.run(outbox.laneIndexes(lanes: lanes))
            }
            try transaction.run(outbox.upkeep() + claim)
            return true
        }
    }

    /// Checks that a table of the outbox's name is one.
    private func requireShape(in transaction: inout Transaction) throws {
        guard let table = try transaction.describe(table: database.outbox.tables.path),
            let fault = OutboxShape.fault(of: table, enforcesTypes: transaction.dialect.enforcesTypes)
        else { return }
        throw DionysusError(.declaration, fault)
    }

    /// The name of the table that was the outbox until now, if it was another.
    /// - Throws: ``DionysusError`` with code `conflict` if it has rows that would never be published.
    private func formerOutbox(in transaction: inout Transaction) throws -> String? {
        let tables = database.outbox.tables
        guard let noted = try OutboxPlace.noted(tables, in: &transaction), noted != tables.name else { return nil }
        // It may have been renamed.
        guard try transaction.describe(table: tables.path(noted)) != nil else { return noted }
        let count: SQL =
            "SELECT count(*) FROM \(tables.beside(noted)) WHERE published_at IS NULL"
        let unpublished = try transaction.run(count).first?.integer(0) ?? 0
        guard unpublished == 0 else {
            throw DionysusError(
                .conflict,
                "the outbox was \(tables.path(noted)), which has \(unpublished) rows that are not published",
                advice: "set DIONYSUS_OUTBOX_TABLE back and let a relay publish them, or discard those that failed"
            )
        }
        return noted
    }

    /// Notes which application owns the outbox, if none does yet.
    private var claim: [SQL] {
        let tables = database.outbox.tables
        return registry.application.map { application in
            [
                """
                INSERT INTO \(tables.meta) (name, value) VALUES (\(OutboxOwner.note), \(application))
                ON CONFLICT (name) DO NOTHING
                """
            ]
        } ?? []
    }

    /// Whether the outbox that is found is another application's, and this one gets its own in its own schema.
    private func isCreatedBeside(in transaction: inout Transaction) throws -> Bool {
        guard let fault = try OutboxOwner.fault(registry, database.outbox.tables, in: &transaction) else {
            return false
        }
        guard try database.outbox.canCreateBeside(in: &transaction) else {
            throw DionysusError(.declaration, fault)
        }
        return true
    }

    private func captureReport(_ registry: Registry, _ catalogue: Catalogue) async throws -> CaptureReport {
        let installation = CaptureInstallation(registry, catalogue, database)
        return try await database.transaction(.snapshot) { try installation.report(in: &$0) }
    }

    /// Runs the statements about one table, however long others hold it.
    private func change(_ statements: [SQL]) async throws {
        let timeout = database.outbox.lockTimeout(Self.lockTimeout)
        try await database.exclusively("dionysus:migrate", logger: logger) { transaction in
            _ = try transaction.run(timeout + statements)
        }
    }

    /// Whether all tables of the outbox are there, as this version makes them.
    private static func isComplete(
        _ tables: OutboxTables,
        lanes: Int,
        in transaction: inout Transaction
    ) throws -> Bool {
        for table in [
            tables.name, "dionysus_lanes", "dionysus_meta", GenesisSchema.runs, GenesisSchema.chunks,
            StoredMessage.table, PollSchema.polls, PollSchema.records,
        ] {
            if try transaction.describe(table: tables.path(table)) == nil { return false }
        }
        guard try OutboxPlace.noted(tables, in: &transaction) == tables.name else { return false }
        return try OutboxVersion.isThis(tables, in: &transaction) && Outbox.laneCount(tables, in: &transaction) == lanes
    }

    private static func numbers(_ count: Int, _ dialect: any SQLDialect) -> SQL {
        dialect.rows([BulkColumn("lane", .integer, (0..<count).map { .integer(Int64($0)) })], alias: "lanes")
    }
}
