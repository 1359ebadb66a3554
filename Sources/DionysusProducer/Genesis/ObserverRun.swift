import Dionysus

extension Genesis {
    /// Starts a run over the records that are reached from observed ones, in the caller's transaction.
    /// - Parameters:
    ///   - expansion: The observation, and what is published because of it.
    ///   - observedIDs: The primary keys of the observed records that have changed.
    ///   - context: What the run's rows have of the changes; without an origin they get the run's.
    ///   - chunkSize: How many records a chunk has.
    ///   - transaction: The transaction in which the observed changes are settled.
    /// - Returns: The run's number.
    @discardableResult
    static func observerRun(
        _ expansion: Expansion,
        observedIDs: [String],
        context: OutboxContext,
        chunkSize: Int,
        in transaction: inout Transaction
    ) throws -> Int64 {
        var selection = GenesisSelection(visibleOnly: true)
        selection.reach = ObserverReach(expansion, observedIDs: observedIDs)
        let start = GenesisStatements(dialect: transaction.dialect)
            .start(
                topic: expansion.publication.topic,
                model: expansion.publication.model.name,
                selection: selection,
                context: context,
                spread: nil,
                chunkSize: chunkSize
            )
        return try transaction.run(start).first?.integer(0) ?? 0
    }

    /// How many records are reached from observed ones: the first row's first column, and never above `limit + 1`.
    static func countObservers(
        _ expansion: Expansion,
        observedIDs: [String],
        upTo limit: Int,
        dialect: any SQLDialect
    ) -> SQL {
        let reach = ObserverReach(expansion, observedIDs: observedIDs)
        let visible: SQL = expansion.softDeleteColumn.map { " AND t.\(identifier: $0) IS NULL" } ?? ""
        return """
            SELECT count(*) FROM (
              SELECT 1 AS one FROM \(identifier: expansion.publication.model.table) t
              WHERE \(reach.sql(dialect: dialect))\(visible) LIMIT \(limit + 1)
            ) reached
            """
    }
}
