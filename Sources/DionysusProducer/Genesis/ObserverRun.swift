import Dionysus

extension Genesis {
    /// Starts a run over the visible records that are reached from what has changed, in the caller's transaction.
    ///
    /// Its rows have time, trace and origin of the first change.
    /// - Parameters:
    ///   - rows: What has changed.
    ///   - expansions: The ways to the records of one publication, at least one.
    ///   - chunkSize: How many records a chunk has.
    ///   - tables: Where runs are written.
    ///   - transaction: The transaction in which the changes are settled.
    /// - Returns: The run's number.
    @discardableResult
    static func observerRun(
        _ rows: [OutboxRow],
        by expansions: [Expansion],
        chunkSize: Int,
        tables: OutboxTables,
        in transaction: inout Transaction
    ) throws -> Int64 {
        let publication = expansions[0].publication
        var selection = GenesisSelection(
            visibleOnly: expansions[0].hidingColumn != nil && expansions[0].hidingExemption == nil
        )
        selection.reach = try ObserverReach(rows, by: expansions, in: &transaction)
        let start = GenesisStatements(tables: tables, dialect: transaction.dialect)
            .start(
                topic: publication.topic,
                model: publication.model.name,
                selection: selection,
                context: rows.first.map(OutboxContext.init) ?? OutboxContext(),
                spread: nil,
                chunkSize: chunkSize
            )
        return try transaction.run(start).first?.integer(0) ?? 0
    }
}
