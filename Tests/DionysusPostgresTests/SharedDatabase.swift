import Dionysus
import DionysusPostgres
import Foundation
import TestSupport
import Testing

/// Gives the tests of a suite one temporary database.
struct SharedDatabase: SuiteTrait, TestScoping {
    static let serverURL = ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_URL"]
    static let bouncerURL = ProcessInfo.processInfo.environment["DIONYSUS_TEST_PGBOUNCER_URL"]

    @TaskLocal static var url: String?

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTemporaryPostgresURL { url in
            try await Self.$url.withValue(url) { try await function() }
        }
    }

    static func open(_ options: PostgresOptions = PostgresOptions()) throws -> PostgresDatabase {
        try PostgresDatabase(url: #require(url), options: options)
    }

    /// Opens the suite's database through PgBouncer.
    static func openThroughBouncer() throws -> PostgresDatabase {
        let (url, bouncerURL) = (try #require(url), try #require(bouncerURL))
        var components = try #require(URLComponents(string: bouncerURL))
        components.path = try #require(URLComponents(string: url)).path
        return try PostgresDatabase(url: #require(components.string))
    }
}

extension Trait where Self == SharedDatabase {
    static var sharedDatabase: Self { SharedDatabase() }
}

extension Trait where Self == ConditionTrait {
    static var needsPostgres: Self {
        .enabled(
            if: SharedDatabase.serverURL != nil,
            "DIONYSUS_TEST_POSTGRES_URL is not set: run this with script/with-services"
        )
    }

    static var needsBouncer: Self {
        .enabled(
            if: SharedDatabase.bouncerURL != nil,
            "DIONYSUS_TEST_PGBOUNCER_URL is not set: run this with script/with-services"
        )
    }
}
