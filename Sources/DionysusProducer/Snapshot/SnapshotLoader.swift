import Dionysus

/// Loads the current state of records and what belongs to them, as one snapshot of the database has it.
struct SnapshotLoader: Sendable {
    let database: any Database
    let plans: [RecordGroup: LoadPlan]
    let fractionDigits: Int

    /// Loads records by a number of queries that depends on what is declared, and not on how many records there are.
    /// - Parameter records: The ids of the records of each group; a group without a plan is left out.
    func load(_ records: [RecordGroup: [String]]) async throws -> [RecordGroup: LoadedRecords] {
        let groups = records.compactMap { group, ids in
            plans[group].map { (group: group, plan: $0, ids: ids.withoutRepetitions) }
        }
        let queries = groups.map { group, plan, ids in
            plan.queries(
                ids: ids.map { DatabaseValue(primaryKey: $0, type: plan.primaryKeyType) },
                dialect: database.dialect
            )
        }
        let results = try await database.transaction(.snapshot) { try $0.runLast(queries.flatMap(\.self)) }
        let encoder = JSONTreeEncoder(fractionDigits: fractionDigits)
        var loaded: [RecordGroup: LoadedRecords] = [:]
        var start = 0
        for ((group, plan, _), queries) in zip(groups, queries) {
            let end = start + queries.count
            loaded[group] = LoadedRecords(plan: plan, results: results[start..<end], encoder: encoder)
            start = end
        }
        return loaded
    }
}
