import Dionysus
import Foundation

/// Which replica a database holds: what tells it from others that read the same topics.
struct ReplicaIdentity: Sendable, Hashable {
    /// The database's own identity.
    let own: UUID
    /// The replicas whose place this one has taken on purpose, and what it was called before that.
    let replaced: Set<UUID>

    /// The identity as it stands beside committed offsets.
    var metadata: String { own.text }

    /// Reads the identity.
    /// - Returns: nil if the database has none.
    static func load(in transaction: inout Transaction) throws -> ReplicaIdentity? {
        guard try transaction.describe(table: "dionysus_replica") != nil else { return nil }
        var own: UUID?
        var replaced: Set<UUID> = []
        for row in try transaction.run("SELECT identity, role FROM dionysus_replica").rows {
            guard let identity = try row.text(0).flatMap(UUID.init(uuidString:)) else { continue }
            if try row.text(1) == "own" { own = identity } else { replaced.insert(identity) }
        }
        return own.map { ReplicaIdentity(own: $0, replaced: replaced) }
    }

    /// Gives a database an identity that has none.
    ///
    /// It has to be done by one at a time.
    static func establish(in transaction: inout Transaction) throws {
        guard try load(in: &transaction) == nil else { return }
        try transaction.run(insertion(of: UUID(), role: "own", transaction.dialect))
    }

    /// Takes the place of other replicas, under a new identity, so that they find out.
    func takeOver(_ others: Set<UUID>, in transaction: inout Transaction) throws -> ReplicaIdentity {
        let new = UUID()
        let dialect = transaction.dialect
        try transaction.run(
            ["UPDATE dionysus_replica SET role = 'replaced' WHERE role = 'own'"]
                + others.subtracting(replaced).sorted().map { Self.insertion(of: $0, role: "replaced", dialect) }
                + [Self.insertion(of: new, role: "own", dialect)]
        )
        return ReplicaIdentity(own: new, replaced: replaced.union(others).union([own]))
    }

    private static func insertion(of identity: UUID, role: String, _ dialect: any SQLDialect) -> SQL {
        """
        INSERT INTO dionysus_replica (identity, role, created_at)
        VALUES (\(DatabaseValue.text(identity.text)), \(role), \(dialect.now))
        """
    }
}

extension UUID {
    fileprivate var text: String { uuidString.lowercased() }
}
