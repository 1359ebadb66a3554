import Dionysus
import Logging

import struct Foundation.UUID

/// Deletes published rows that have been kept long enough, while a relay works.
///
/// Of all relays of an outbox one does it at a time. It holds a lease that is a row with an end, renewed with every
/// batch, and no lock: a lock would be a transaction that stays open, and low-water marks wait for those.
struct OutboxRetention: Sendable {
    private static let interval = Duration.seconds(60)
    private static let runsBetweenWholeWalks = 60
    /// Between batches, so that the relay and the writers come first.
    private static let pause = Duration.milliseconds(100)

    private let outbox: Outbox
    private let database: any CapturingDatabase
    private let age: Duration
    private let logger: Logger
    private let owner = UUID().uuidString

    /// - Returns: Nil if rows are kept forever.
    init?(_ outbox: Outbox, _ database: any CapturingDatabase, _ settings: ProducerSettings, _ logger: Logger) {
        guard let age = settings.retention else { return nil }
        self.outbox = outbox
        self.database = database
        self.age = age
        self.logger = logger
    }

    /// Works until the queue is closed.
    func run(until queue: LaneQueue) async {
        var start: Int64 = 0
        var runs = 0
        while !queue.isClosed {
            // A transaction that commits late can leave rows below the place where the last walk ended.
            if runs % Self.runsBetweenWholeWalks == 0 { start = 0 }
            runs += 1
            do {
                start = try await enforce(on: queue, startingAfter: start)
            } catch {
                logger.warning("published rows could not be deleted: \(error); trying again in \(Self.interval)")
            }
            await queue.pause(Self.interval)
        }
    }

    /// Deletes what is old enough, unless another relay does.
    /// - Returns: The id behind which the next walk can begin.
    @discardableResult
    func enforce(on queue: LaneQueue, startingAfter start: Int64 = 0) async throws -> Int64 {
        let lease = RetentionLease(owner: owner, interval: Self.interval, tables: outbox.tables)
        var pruning = OutboxPruning(outbox: outbox, database: database, age: age, startingAfter: start)
        while !queue.isClosed, try await pruning.deleteBatch(if: lease.take) { await queue.pause(Self.pause) }
        if pruning.deleted > 0 { logger.info("\(pruning.deleted) published rows were deleted after \(age)") }
        return pruning.end
    }
}

/// The right to delete published rows, which one relay at a time has until a time.
struct RetentionLease: Sendable {
    private static let name = "retention"

    let owner: String
    let interval: Duration
    var tables = OutboxTables()

    /// Takes or renews the lease.
    /// - Returns: Whether this relay has it now.
    ///
    /// Its end is read from the database's clock, which is the same for all relays.
    func take(in transaction: inout Transaction) throws -> Bool {
        let clock = try transaction.run("SELECT \(transaction.dialect.now)").first
        guard let now = try clock?.timestamp(0) else { return false }
        let value = "\(now + 2 * interval.inSeconds) \(owner)"
        let results = try transaction.run([
            "INSERT INTO \(tables.meta) (name, value) VALUES (\(Self.name), '') ON CONFLICT (name) DO NOTHING",
            """
            UPDATE \(tables.meta) SET value = \(value)
            WHERE name = \(Self.name) AND (value < \(now.description) OR value LIKE \("% " + owner))
            """,
        ])
        return results[1].affectedRows > 0
    }
}
