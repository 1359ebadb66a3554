import Dionysus

/// How far a projection is: which generation of its tables is read, and which one is being rebuilt.
struct ProjectionState: Sendable {
    /// A rebuild that has not ended.
    struct Rebuild: Sendable {
        /// The version that it is made for.
        var version: Int
        /// The global position up to which the new tables have all events.
        var position: Int64 = 0
        /// The one up to which the last positions of the streams are noted.
        var noted: Int64 = 0
    }

    /// The version of the tables that are read.
    var version: Int
    var generation: Int64
    var rebuild: Rebuild?

    /// Locks of projections sort after that of the order, as whoever takes both takes them.
    static func lock(_ name: String) -> String { "dionysus:events:projection:\(name)" }

    static func load(_ name: String, forUpdate: Bool = false, in transaction: inout Transaction) throws
        -> ProjectionState
    {
        let clause = forUpdate ? transaction.dialect.forUpdate : ""
        let row =
            try transaction.run(
                """
                SELECT version, generation, rebuilt_version, rebuilt_sequence, noted_sequence FROM dionysus_projections
                WHERE name = \(name) \(raw: clause)
                """
            )
            .first
        guard let row, let version = try row.integer(0), let generation = try row.integer(1) else {
            throw DionysusError(.notFound, "projection \(name) has not been created", advice: "run migrate")
        }
        var state = ProjectionState(version: Int(version), generation: generation)
        if let version = try row.integer(2), let position = try row.integer(3) {
            state.rebuild = Rebuild(version: Int(version), position: position, noted: try row.integer(4) ?? 0)
        }
        return state
    }

    func store(_ projection: any Projection, in transaction: inout Transaction) throws {
        let columns = [BulkColumn("categories", .json, [.json(projection.storedCategories)])]
        // What isn't rebuilt is what is declared.
        try transaction.run(
            """
            UPDATE dionysus_projections SET version = \(version), generation = \(generation),
              categories = (SELECT v.categories FROM \(transaction.dialect.rows(columns, alias: "v"))),
              rebuilt_version = \((rebuild?.version).databaseValue), rebuilt_sequence = \((rebuild?.position).databaseValue),
              noted_sequence = \((rebuild?.noted).databaseValue), updated_at = \(transaction.dialect.now)
            WHERE name = \(projection.name)
            """
        )
    }
}

extension Projection {
    /// Its categories as a list of JSON, for whoever doesn't have its declaration.
    var storedCategories: String { JSON.array(categories.sorted().map(JSON.string)).text }
}
