import DionysusConformance
import DionysusSQLite
import TestSupport
import Testing

struct SQLiteConformanceTests {
    @Test(arguments: DatabaseConformance.checks + DatabaseConformance.expressionChecks)
    func `SQLite conforms`(_ check: DatabaseConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await check.run { try SQLiteDatabase(path: "\(directory)/data/test.sqlite") }
        }
    }
}
