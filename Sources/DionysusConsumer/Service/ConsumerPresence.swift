package import Dionysus
import Foundation
import Logging

/// The mark that a running consumer leaves in the database, so that its group's offsets are not moved under it by
/// mistake.
///
/// Nothing that has to be right depends on it: the offsets themselves are moved by compare-and-set.
struct ConsumerPresence: Sendable {
    /// How often a running consumer renews its mark.
    private static let interval = Duration.seconds(2)
    /// How old a mark may be while its consumer is taken to run, in seconds.
    static let lifetime = 10.0

    let group: String
    let database: any Database
    let retry: RetryLoop
    let telemetry: ConsumerTelemetry
    let pauses: PauseBoard
    private let member = UUID().uuidString.lowercased()

    init(
        group: String,
        database: any Database,
        retry: RetryLoop,
        telemetry: ConsumerTelemetry,
        pauses: PauseBoard
    ) {
        self.group = group
        self.database = database
        self.retry = retry
        self.telemetry = telemetry
        self.pauses = pauses
    }

    /// Does a consumer's work, and shows for as long that it runs.
    /// - Throws: What the work throws; `CancellationError` when the service is to stop before the mark could be left.
    func kept<T>(while work: () async throws -> T) async throws -> T {
        try await retry.run("register the consumer") { try await leaveMark() }
        var trouble: Trouble?
        telemetry.databaseAnswered(after: &trouble)
        let outcome = await withTaskGroup(of: Void.self) { renewals in
            renewals.addTask { await renew() }
            let outcome: Result<T, any Error>
            do {
                outcome = .success(try await work())
            } catch {
                outcome = .failure(error)
            }
            renewals.cancelAll()
            await renewals.waitForAll()
            return outcome
        }
        await takeMarkAway()
        return try outcome.get()
    }

    /// It also shows whether the database answers while there is nothing to write.
    private func renew() async {
        var trouble: Trouble?
        var failures = 0
        while (try? await Task.sleep(for: Self.interval)) != nil {
            do {
                try await leaveMark()
                failures = 0
                telemetry.databaseAnswered(after: &trouble)
            } catch {
                // A mark that can't be renewed now is renewed next time; the offsets are safe without it.
                if Task.isCancelled { return }
                failures += 1
                // One alone may have been in the way of a writer.
                if failures > 1 { telemetry.databaseFailed(error, &trouble) }
            }
        }
    }

    private func leaveMark() async throws {
        let (group, member, process) = (group, member, Self.process)
        let paused = try await database.transaction(.write) { transaction in
            let dialect = transaction.dialect
            try transaction.run([
                // What those that were killed have left.
                """
                DELETE FROM dionysus_consumers
                WHERE "group" = \(group) AND seen_at < \(dialect.now(minus: Self.lifetime)) AND member <> \(member)
                """,
                """
                INSERT INTO dionysus_consumers ("group", member, process, started_at, seen_at)
                VALUES (\(group), \(member), \(process), \(dialect.now), \(dialect.now))
                ON CONFLICT ("group", member) DO UPDATE SET seen_at = excluded.seen_at
                """,
            ])
            return try PartitionPauses(group: group).load(in: &transaction)
        }
        pauses.note(paused)
    }

    /// If the database is away the mark is soon too old to count.
    private func takeMarkAway() async {
        let (group, member) = (group, member)
        _ = try? await database.transaction(.write) { transaction in
            try transaction.run("DELETE FROM dionysus_consumers WHERE \"group\" = \(group) AND member = \(member)")
        }
    }

    /// Which process this is, for people.
    private static let process = "\(hostName) process \(ProcessInfo.processInfo.processIdentifier)"

    private static var hostName: String {
        // Foundation would ask the network.
        var buffer = [CChar](repeating: 0, count: 256)
        let code = gethostname(&buffer, buffer.count - 1)
        guard code == 0 else { return "this host" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A consumer that was at work a moment ago.
package struct RunningConsumer: Sendable, Hashable {
    /// Host and number of its process.
    package let process: String
    /// When it started, by the database's clock.
    package let startedAt: Timestamp
    /// When it last showed that it runs, by the database's clock.
    package let seenAt: Timestamp

    init?(_ row: Row) throws {
        guard let process = try row.text(0), let startedAt = try row.timestamp(1), let seenAt = try row.timestamp(2)
        else { return nil }
        self.process = process
        self.startedAt = startedAt
        self.seenAt = seenAt
    }

    /// The consumers of a group that run.
    static func all(of group: String, in transaction: inout Transaction) throws -> [RunningConsumer] {
        let limit = transaction.dialect.now(minus: ConsumerPresence.lifetime)
        let result = try transaction.run(
            """
            SELECT process, started_at, seen_at FROM dionysus_consumers
            WHERE "group" = \(group) AND seen_at >= \(limit) ORDER BY started_at, process
            """
        )
        return try result.rows.compactMap { try RunningConsumer($0) }
    }
}
