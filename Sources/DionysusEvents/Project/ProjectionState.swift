import Dionysus

/// How far a projection is: which generation of its tables is read, and which one is being rebuilt.
struct ProjectionState: Sendable {
    var generation: Int64
    /// The global position that the rebuild has reached, and the version that it is made for; nil if there is none.
    var rebuild: (position: Int64, version: Int)?

    /// Locks of projections sort after that of the order, as whoever takes both takes them.
    static func lock(_ name: String) -> String { "dionysus:events:projection:\(name)" }

    static func load(_ name: String, forUpdate: Bool = false, in transaction: inout Transaction) throws
        -> ProjectionState
    {
        let clause = forUpdate ? transaction.dialect.forUpdate : ""
        let row =
            try transaction.run(
                """
                SELECT generation, rebuilt_sequence, rebuilt_version FROM dionysus_projections
                WHERE name = \(name) \(raw: clause)
                """
            )
            .first
        guard let row, let generation = try row.integer(0) else {
            throw DionysusError(.notFound, "projection \(name) has not been created", advice: "run migrate")
        }
        let version = try row.integer(2) ?? 0
        return ProjectionState(
            generation: generation,
            rebuild: try row.integer(1).map { (position: $0, version: Int(version)) }
        )
    }

    func store(_ name: String, in transaction: inout Transaction) throws {
        try transaction.run(
            """
            UPDATE dionysus_projections SET generation = \(generation), rebuilt_sequence = \((rebuild?.position).databaseValue),
              rebuilt_version = \((rebuild?.version).databaseValue), updated_at = \(transaction.dialect.now)
            WHERE name = \(name)
            """
        )
    }
}
