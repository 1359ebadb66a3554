import Dionysus

/// Splits the keys of a run into chunks, a bounded number of them in a transaction.
///
/// A chunk is a range of keys that holds as many rows as a chunk is to have: it is found by walking along the primary
/// key's index, so that gaps between keys cost nothing and keys of every type are split in the same way. The last key
/// is looked up once, at the beginning: records that are created later are captured when they are.
struct GenesisSplitter: Sendable {
    /// How many chunks one transaction makes at most.
    static let chunksPerTransaction = 50

    let statements: GenesisStatements

    /// Makes the next chunks of a run.
    /// - Returns: Whether there was something to do, and no other worker was doing it.
    func split(_ run: Int64, _ records: GenesisRecords, in transaction: inout Transaction) throws -> Bool {
        guard let row = try transaction.run(statements.splitting(run)).first else { return false }
        let (chunks, size) = (try row.integer(0) ?? 0, try row.integer(1) ?? 1)
        let after = try row.text(2)
        guard let until = try row.text(3) ?? lastKey(of: records, in: &transaction) else {
            try transaction.run(statements.advance(run, chunks: 0, after: nil, until: nil, isSplit: true))
            return true
        }
        var ends = try boundaries(records, after: after, until: until, size: size, in: &transaction)
        let isLast = ends.count < Self.chunksPerTransaction
        if isLast, (ends.last ?? after) != until { ends.append(until) }
        if !ends.isEmpty {
            try transaction.run(statements.addChunks(run, firstNumber: chunks, after: after, until: ends))
        }
        try transaction.run(
            statements.advance(
                run,
                chunks: chunks + Int64(ends.count),
                after: ends.last ?? after,
                until: until,
                isSplit: isLast
            )
        )
        return true
    }

    private func lastKey(of records: GenesisRecords, in transaction: inout Transaction) throws -> String? {
        try transaction
            .run(
                """
                SELECT \(transaction.dialect.asText(records.key)) FROM \(identifier: records.table) t
                WHERE \(records.key) IS NOT NULL\(records.splitCondition) ORDER BY \(records.key) DESC LIMIT 1
                """
            )
            .first?
            .text(0)
    }

    /// Every `size`-th key after one.
    private func boundaries(
        _ records: GenesisRecords,
        after: String?,
        until: String,
        size: Int64,
        in transaction: inout Transaction
    ) throws -> [String] {
        let bound = { (key: String) in DatabaseValue(primaryKey: key, type: records.keyType) }
        let lower: SQL = after.map { "\(records.key) > \(bound($0)) AND " } ?? ""
        let result = try transaction.run(
            """
            SELECT \(transaction.dialect.asText(SQL(raw: "page.record_key"))) FROM (
              SELECT \(records.key) AS record_key, row_number() OVER (ORDER BY \(records.key)) AS place
              FROM \(identifier: records.table) t
              WHERE \(lower)\(records.key) <= \(bound(until))\(records.splitCondition)
              ORDER BY \(records.key) LIMIT \(size * Int64(Self.chunksPerTransaction))
            ) page WHERE page.place % \(size) = 0 ORDER BY page.place
            """
        )
        return try result.rows.compactMap { try $0.text(0) }
    }
}
