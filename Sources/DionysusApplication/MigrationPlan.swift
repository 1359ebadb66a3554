package import Dionysus
import DionysusProducer

extension ApplicationEnvironment {
    /// What ``migrate()`` would do, in its order, a line each.
    /// - Parameters:
    ///   - source: The statements that create the application's own tables in the source, by the database's dialect.
    ///   - replica: The same in the replica.
    package func plan(
        source sourceStatements: @Sendable (any SQLDialect) -> [String],
        replica replicaStatements: @Sendable (any SQLDialect) -> [String]
    ) async throws -> [String] {
        var lines: [String] = []
        if App.hasProducer {
            let source = try source()
            let (own, waits) = (sourceStatements(source.dialect), source.dialect.enforcesTypes)
            lines += own.map { "source: run \($0.firstLine)" }
            let report = try await plannedMigration()
            await source.close()
            lines += report.changes.map { "source: would have \($0)" }
            lines += report.warnings.map { "source: warning: \($0)" }
            if !report.changes.isEmpty {
                lines.append(
                    waits
                        ? "source: each table's triggers are changed in a transaction of their own, for which the table's writers wait (SHARE ROW EXCLUSIVE)"
                        : "source: all writers wait while the database changes"
                )
            }
        }
        if App.hasConsumer {
            let replica = try replica()
            lines += replicaStatements(replica.dialect).map { "replica: run \($0.firstLine)" }
            await replica.close()
            lines.append("replica: create or upgrade the consumer's own tables, where they lack something")
        }
        return lines
    }
}

extension String {
    fileprivate var firstLine: String {
        let lines = split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        return (lines.first ?? "") + (lines.count > 1 ? " …" : "")
    }
}
