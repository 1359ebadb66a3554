import Crypto
public import Dionysus

/// The keys of the people that events identify.
struct SubjectKeys: Sendable {
    /// By the bytes of the subjects, which are what the database tells them apart by.
    private var keys: [[UInt8]: SubjectKey] = [:]

    subscript(subject: String?) -> SubjectKey? { subject.flatMap { keys[Array($0.utf8)] } }

    /// Looks up keys, by one statement.
    static func load(_ subjects: [String], in transaction: inout Transaction) throws -> SubjectKeys {
        var found = SubjectKeys()
        guard !subjects.isEmpty else { return found }
        let list = distinct(subjects).map(DatabaseValue.text)
        let isOne = transaction.dialect.isAny("subject", of: list, type: .text)
        for row in try transaction.run("SELECT subject, key FROM dionysus_subject_keys WHERE \(isOne)").rows {
            guard let subject = try row.text(0), case .bytes(let bytes) = row[1] else { continue }
            found.keys[Array(subject.utf8)] = SubjectKey(bytes)
        }
        return found
    }

    /// Looks up keys, and makes those that are missing.
    static func make(_ subjects: [String], in transaction: inout Transaction) throws -> SubjectKeys {
        guard !subjects.isEmpty else { return SubjectKeys() }
        let new = distinct(subjects).map { ($0, SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }) }
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

    /// Each subject once, in one order for all writers.
    private static func distinct(_ subjects: [String]) -> [String] {
        let different: Set<[UInt8]> = Set(subjects.map { Array($0.utf8) })
        let sorted = different.sorted { $0.lexicographicallyPrecedes($1) }
        return sorted.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension EventStore {
    /// Deletes the key of a person: nobody can read what identified them in events any more.
    ///
    /// A later event about the same person makes a new key; what was stored before stays unreadable.
    ///
    /// Read models and snapshots that hold it are made anew, or change by an event that says so. Backups of the database hold
    /// the key as long as they exist.
    /// - Parameters:
    ///   - subject: The id of the person.
    ///   - transaction: The transaction that deletes it.
    /// - Returns: Whether there was a key.
    /// - Throws: As ``/Dionysus/Transaction/run(_:)-(SQL)``.
    @discardableResult
    public func forget(_ subject: String, in transaction: inout Transaction) throws -> Bool {
        try transaction.run("DELETE FROM dionysus_subject_keys WHERE subject = \(subject)").affectedRows > 0
    }
}
