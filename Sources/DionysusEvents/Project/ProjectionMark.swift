import Dionysus

/// A global position up to which a projection has applied every event; it may have applied later ones.
///
/// What a projection has applied is noted per stream. This remembers what a look at all streams has found, so that the next
/// one begins there.
struct ProjectionMark: Sendable {
    let name: String
    let generation: Int64
    let sequence: Int64

    /// A mark is stored after so many events, because it only spares work.
    private static let interval: Int64 = 1_000

    static func load(_ name: String, generation: Int64, in transaction: inout Transaction) throws -> ProjectionMark {
        let row =
            try transaction.run(
                "SELECT sequence FROM dionysus_projection_marks WHERE name = \(name) AND generation = \(generation)"
            )
            .first
        return ProjectionMark(name: name, generation: generation, sequence: try row?.integer(0) ?? 0)
    }

    /// Stores it, unless there is a later one.
    func store(in transaction: inout Transaction) throws {
        try transaction.run(
            """
            INSERT INTO dionysus_projection_marks AS m (name, generation, sequence)
            VALUES (\(name), \(generation), \(sequence))
            ON CONFLICT (name) DO UPDATE SET generation = excluded.generation, sequence = excluded.sequence
            WHERE m.generation < excluded.generation
              OR m.generation = excluded.generation AND m.sequence < excluded.sequence
            """
        )
    }

    /// Moves it up to a position that was found, if that spares enough.
    func move(to position: Int64, on database: any Database) async throws {
        guard position >= sequence + Self.interval else { return }
        let moved = ProjectionMark(name: name, generation: generation, sequence: position)
        try await database.retryingConcurrentWrites { try moved.store(in: &$0) }
    }
}
