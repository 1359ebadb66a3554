import Dionysus
import Synchronization

/// A wrapper around a database that can inject failures.
final class FaultyDatabase: CapturingDatabase {
    struct Faults: Sendable {
        var isAway = false
        /// The number of upcoming transactions that fail.
        var failing = 0
    }

    let base: any CapturingDatabase
    let faults = Mutex(Faults())

    init(_ base: any CapturingDatabase) { self.base = base }

    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }
    var captureSupport: CaptureSupport { base.captureSupport }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        try fail()
        return try await base.transaction(kind, body)
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try fail()
        return try await base.lease(resource, idleTimeout: idleTimeout)
    }

    func lease(
        _ resource: LeasedResource,
        idleTimeout: Duration,
        running statements: [SQL]
    ) async throws -> (lease: any Lease, results: [ResultSet])? {
        try fail()
        return try await base.lease(resource, idleTimeout: idleTimeout, running: statements)
    }

    func close() async { await base.close() }

    private func fail() throws {
        let fails = faults.withLock { faults in
            if faults.isAway { return true }
            guard faults.failing > 0 else { return false }
            faults.failing -= 1
            return true
        }
        guard fails else { return }
        throw DionysusError(
            .databaseUnavailable,
            "the test made the database at \(location) unavailable",
            isRetriable: true
        )
    }
}
