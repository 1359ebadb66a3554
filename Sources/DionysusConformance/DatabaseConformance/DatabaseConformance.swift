public import Dionysus

/// What every database behind ``Database`` does, as checks that any test framework can run.
///
///     @Test(arguments: DatabaseConformance.checks)
///     func `conforms`(_ check: DatabaseConformance.Check) async throws {
///         try await check.run { try PostgresDatabase(url: url) }
///     }
///
/// Every check makes tables of its own and drops them, so that checks can run at the same time on one database.
public struct DatabaseConformance: Sendable {
    /// One promise of the port, with the code that tries it.
    public struct Check: Sendable, CustomStringConvertible {
        /// The promise, as a sentence.
        public let description: String
        private let body: @Sendable (DatabaseTrial) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (DatabaseTrial) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Tries the promise.
        /// - Parameter makeDatabase: Opens the database under test; each call opens the same one once more.
        /// - Throws: ``ConformanceFailure`` when the database does something else, and what the database throws.
        public func run(on makeDatabase: @escaping @Sendable () async throws -> any Database) async throws {
            let database = try await makeDatabase()
            do {
                try await body(DatabaseTrial(database: database, makeDatabase: makeDatabase))
            } catch {
                await database.close()
                throw error
            }
            await database.close()
        }
    }

    /// All checks.
    public static let checks: [Check] =
        valueChecks + statementChecks + transactionChecks + errorChecks + catalogueChecks + dialectChecks + leaseChecks
}
