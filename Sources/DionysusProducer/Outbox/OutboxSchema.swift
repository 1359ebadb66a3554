public import Dionysus

/// Creates, upgrades and removes the outbox and the triggers that fill it.
public struct OutboxSchema: Sendable {
    let database: any CapturingDatabase
    let registry: Registry

    /// Creates the schema of a producer.
    /// - Parameters:
    ///   - database: The database whose changes are captured.
    ///   - registry: What is published.
    public init(database: any CapturingDatabase, registry: Registry) {
        self.database = database
        self.registry = registry
    }

    /// Creates or upgrades the outbox and installs the triggers, in one transaction; safe to repeat.
    /// - Parameter lanes: How many lanes the outbox gets.
    /// - Throws: ``DionysusError`` with code `declaration` when the declaration does not fit the database.
    public func migrate(lanes: Int) async throws {
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        let outbox = database.outbox
        try await database.exclusively("dionysus:migrate") { transaction in
            try transaction.run(outbox.creation())
            try transaction.run(GenesisSchema.creation(transaction.dialect))
            let current = try Self.lanes(in: &transaction)
            if current != lanes {
                try transaction.run([
                    SQL(raw: "DELETE FROM dionysus_lanes"),
                    "INSERT INTO dionysus_lanes (lane) SELECT lane FROM \(Self.numbers(lanes, transaction.dialect))",
                ])
                try transaction.run(outbox.laneIndexes(lanes: lanes))
            }
            try installation(catalogue).install(in: &transaction)
            try outbox.raiseVersion(in: &transaction)
        }
    }

    /// Removes the triggers, the outbox and everything else that ``migrate(lanes:)`` made.
    /// - Parameter discardsUnpublished: Whether it does so although rows are not published, which then never are.
    /// - Throws: ``DionysusError``: `conflict` if there are such rows and they are not to be lost.
    public func uninstall(discardsUnpublished: Bool = true) async throws {
        let outbox = database.outbox
        try await database.exclusively("dionysus:migrate") { transaction in
            for table in try outbox.capturedTables(in: &transaction) {
                try transaction.run(outbox.triggerRemoval(table: table))
            }
            // Without triggers, so that no row can come any more.
            if !discardsUnpublished, try transaction.describe(table: "dionysus_outboxes") != nil {
                try Self.refuse(UnpublishedRows(transaction.run(Outbox.unpublishedCounts).first))
            }
            try transaction.run(outbox.removal() + GenesisSchema.removal + transaction.dialect.lockRemoval)
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
        let catalogue = try await Catalogue.read(for: registry, from: database)
        let installed = installation(catalogue)
        return try await registry.faults(in: catalogue)
            + database.transaction(.snapshot) { [database, registry] transaction in
                try installed.faults(in: &transaction) + hiddenRows(registry, database, in: &transaction)
                    + (try transaction.describe(table: "dionysus_outboxes") == nil
                        ? [] : database.outbox.outboxFaults(in: &transaction))
            }
    }

    private func installation(_ catalogue: Catalogue) -> CaptureInstallation {
        CaptureInstallation(registry, catalogue, database)
    }

    static func lanes(in transaction: inout Transaction) throws -> Int {
        Int(try transaction.run(SQL(raw: "SELECT count(*) FROM dionysus_lanes")).first?.integer(0) ?? 0)
    }

    private static func numbers(_ count: Int, _ dialect: any SQLDialect) -> SQL {
        dialect.rows([BulkColumn("lane", .integer, (0..<count).map { .integer(Int64($0)) })], alias: "lanes")
    }
}

func throwFaults(_ faults: [String]) throws {
    guard !faults.isEmpty else { return }
    throw DionysusError(
        .declaration,
        "the declaration does not fit the database:\n  - \(faults.joined(separator: "\n  - "))"
    )
}
