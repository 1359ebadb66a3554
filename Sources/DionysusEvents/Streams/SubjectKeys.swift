import Crypto
public import Dionysus

/// The keys of the people whom events identify.
struct SubjectKeys: Sendable {
    private var keys: [String: SymmetricKey] = [:]

    subscript(subject: String?) -> SymmetricKey? { subject.flatMap { keys[$0] } }

    /// Looks up keys, by one statement.
    static func load(_ subjects: Set<String>, in transaction: inout Transaction) throws -> SubjectKeys {
        var found = SubjectKeys()
        guard !subjects.isEmpty else { return found }
        let list = subjects.sorted().map(DatabaseValue.text)
        let isOne = transaction.dialect.isAny("subject", of: list, type: .text)
        for row in try transaction.run("SELECT subject, key FROM dionysus_subject_keys WHERE \(isOne)").rows {
            guard let subject = try row.text(0), case .bytes(let bytes) = row[1] else { continue }
            found.keys[subject] = SymmetricKey(data: bytes)
        }
        return found
    }

    /// Looks up keys, and makes those that are missing.
    static func make(_ subjects: Set<String>, in transaction: inout Transaction) throws -> SubjectKeys {
        guard !subjects.isEmpty else { return SubjectKeys() }
        let new = subjects.sorted().map { ($0, SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }) }
        let columns = [
            BulkColumn("subject", .text, new.map { .text($0.0) }), BulkColumn("key", .bytes, new.map { .bytes($0.1) }),
        ]
        let dialect = transaction.dialect
        try transaction.run(
            """
            INSERT INTO dionysus_subject_keys (subject, key, created_at)
            SELECT v.subject, v.key, \(dialect.now) FROM \(dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT (subject) DO NOTHING
            """
        )
        return try load(subjects, in: &transaction)
    }
}

extension EventStore {
    /// Deletes the key of a person: nobody can read what identified them in events any more.
    ///
    /// Read models and snapshots that hold it are made anew, or change by an event that says so. Backups of the database hold
    /// the key as long as they exist.
    /// - Parameter subject: Whom the events identify.
    /// - Returns: Whether there was a key.
    /// - Throws: As ``Dionysus/Transaction/run(_:)``.
    @discardableResult
    public func forget(_ subject: String, in transaction: inout Transaction) throws -> Bool {
        try transaction.run("DELETE FROM dionysus_subject_keys WHERE subject = \(subject)").affectedRows > 0
    }
}
