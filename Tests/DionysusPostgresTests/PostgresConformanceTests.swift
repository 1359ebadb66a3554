import DionysusConformance
import DionysusPostgres
import Testing

@Suite(.needsPostgres, .sharedDatabase)
struct PostgresConformanceTests {
    @Test(arguments: DatabaseConformance.checks + DatabaseConformance.expressionChecks)
    func `PostgreSQL conforms`(_ check: DatabaseConformance.Check) async throws {
        try await check.run { try SharedDatabase.open() }
    }

    @Test(.needsBouncer, arguments: DatabaseConformance.checks)
    func `PostgreSQL behind PgBouncer conforms`(_ check: DatabaseConformance.Check) async throws {
        try await check.run { try SharedDatabase.openThroughBouncer() }
    }
}
