import DionysusPostgres
import TestSupport
import Testing

/// Gives the tests of a suite one temporary database.
struct SharedDatabase: SuiteTrait, TestScoping {
    @TaskLocal static var current: TemporaryPostgresDatabase?

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await TemporaryPostgresDatabase.with { temporary in
            try await Self.$current.withValue(temporary) { try await function() }
        }
    }

    /// Opens the suite's database.
    static func open(
        throughBouncer isBounced: Bool = false,
        options: PostgresOptions = PostgresOptions()
    ) throws -> PostgresDatabase {
        try #require(current).open(throughBouncer: isBounced, options: options)
    }
}

extension Trait where Self == SharedDatabase {
    static var sharedDatabase: Self { SharedDatabase() }
}

extension Trait where Self == ConditionTrait {
    /// Skips without a server.
    static var needsPostgres: Self {
        .enabled(if: TemporaryPostgresDatabase.serverURL != nil, "\(TemporaryPostgresDatabase.missingServer)")
    }

    /// Skips without PgBouncer.
    static var needsBouncer: Self {
        .enabled(
            if: TemporaryPostgresDatabase.bouncerURL != nil,
            "DIONYSUS_TEST_PGBOUNCER_URL is not set: run it with script/with-services"
        )
    }
}
