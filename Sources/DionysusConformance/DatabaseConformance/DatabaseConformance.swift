public import Dionysus

/// The requirements of ``/Dionysus/Database``, as checks that any test framework can run.
///
///     @Test(arguments: DatabaseConformance.checks)
///     func `conforms`(_ check: DatabaseConformance.Check) async throws {
///         try await check.run { try PostgresDatabase(url: url) }
///     }
///
/// Every check creates its own tables and drops them, so checks can run concurrently on one database.
public struct DatabaseConformance: Sendable {
    /// One requirement of the port, with the code that checks it.
    public struct Check: Sendable, CustomStringConvertible {
        /// The requirement, as a sentence.
        public let description: String
        private let body: @Sendable (DatabaseTrial) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (DatabaseTrial) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Runs the check.
        /// - Parameter makeDatabase: Opens the database under test; each call opens the same one again.
        /// - Throws: ``ConformanceFailure`` if the database doesn't conform, and the database's errors.
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
