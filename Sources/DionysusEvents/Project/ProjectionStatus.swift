public import Dionysus

/// How far a projection is.
public struct ProjectionStatus: Sendable, Hashable {
    /// A rebuild that has not ended.
    public struct Rebuild: Sendable, Hashable {
        /// The version of the projection that it makes.
        public let version: Int
        /// The global position up to which it has applied the events.
        public let position: Int64
    }

    /// The projection's name.
    public let name: String
    /// The version of the tables that are read.
    public let version: Int
    /// The global position up to which it has applied every event.
    public let position: Int64
    /// The global position of the last event.
    public let last: Int64
    /// How many events it has not applied; beyond 10,000 an upper bound.
    public let lag: Int64
    /// How many seconds ago the first of them was appended; 0 if there is none.
    public let lagSeconds: Double
    /// The rebuild that has not ended, if there is one.
    public let rebuild: Rebuild?

    /// Finds out how far all projections in a database are.
    /// - Parameter database: The database with the streams and the projections.
    /// - Returns: One for each that has been created, by name; none if the database has no streams.
    /// - Throws: As ``/Dionysus/Database/transaction(_:_:)``.
    public static func all(on database: any Database) async throws -> [ProjectionStatus] {
        let found = try await database.transaction(.snapshot) { try load(in: &$0) }
        // A mark only spares work: a role that may not write does without.
        for (mark, status) in found { try? await mark.move(to: status.position, on: database) }
        return found.map(\.status)
    }

    private static func load(in transaction: inout Transaction) throws -> [(mark: ProjectionMark, status: Self)] {
        guard try transaction.describe(table: "dionysus_projections") != nil else { return [] }
        let last = try transaction.run("SELECT \(EventOrder.last)").first?.integer(0) ?? 0
        let rows = try transaction.run(
            """
            SELECT name, version, generation, categories, rebuilt_version, rebuilt_sequence FROM dionysus_projections
            ORDER BY name
            """
        )
        return try rows.rows.map { row in
            guard let name = try row.text(0), let version = try row.integer(1), let generation = try row.integer(2)
            else { throw DionysusError(.malformed, "a row of dionysus_projections lacks a value") }
            let mark = try ProjectionMark.load(name, generation: generation, in: &transaction)
            var categories: Set<String> = []
            if case .array(let names) = try row.document(3) {
                for case .string(let name) in names { categories.insert(name) }
            }
            var progress = try ProjectionProgress.find(after: mark, categories, through: last, in: &transaction)
            try progress.addUnnumbered(after: mark, categories, in: &transaction)
            var rebuild: Rebuild?
            if let version = try row.integer(4), let position = try row.integer(5) {
                rebuild = Rebuild(version: Int(version), position: position)
            }
            let age = progress.since.map { Double(Timestamp.now.microseconds - $0.microseconds) / 1_000_000 }
            let status = ProjectionStatus(
                name: name,
                version: Int(version),
                position: progress.position,
                last: last,
                lag: progress.missing,
                lagSeconds: max(age ?? 0, 0),
                rebuild: rebuild
            )
            return (mark, status)
        }
    }
}
