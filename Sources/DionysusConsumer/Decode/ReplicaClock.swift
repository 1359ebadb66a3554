import Dionysus
import Synchronization

/// How far ahead a message may be.
///
/// One that is further ahead than any clock can be would win over every honest message that comes after it.
struct Horizon: Sendable {
    /// Sources that keep local times without saying so are ahead by as much as their time zone, at most.
    private static let largestTimeZone: Int64 = 14 * 3_600 * 1_000_000

    /// The highest version: versions are microseconds of a clock.
    let version: Int64
    /// The latest time of a record.
    let time: Timestamp

    /// - Parameters:
    ///   - now: The time of the replica's database.
    ///   - skew: How far ahead of that clock others may be; nil for any time.
    init(now: Timestamp, skew: Duration?) {
        guard let skew else {
            (version, time) = (.max, Timestamp(microseconds: .max))
            return
        }
        let (seconds, attoseconds) = skew.components
        let (micros, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let ahead = overflow ? Int64.max : micros.addingWithoutOverflow(attoseconds / 1_000_000_000_000)
        version = now.microseconds.addingWithoutOverflow(ahead)
        time = Timestamp(microseconds: version.addingWithoutOverflow(Self.largestTimeZone))
    }

    func check(version: Int64) throws {
        guard version >= 0 else { throw DionysusError(.malformed, "the header \(HeaderName.version) is negative") }
        guard version > self.version else { return }
        throw ahead("the version")
    }

    func check(_ time: Timestamp?, _ name: @autoclosure () -> String) throws {
        guard let time, time > self.time else { return }
        throw ahead(name())
    }

    private func ahead(_ name: String) -> DionysusError {
        DionysusError(
            .aheadOfClock,
            "\(name) is too far ahead of the clock of the replica's database",
            advice: "correct the clock of the producer or of the replica's database, or set maxClockSkew"
        )
    }
}

/// The clock of the replica's database, which all consumers of the replica share.
///
/// It is asked once a minute; in between the process counts the time that has passed.
final class ReplicaClock: Sendable {
    private struct Reading {
        let time: Timestamp
        let instant: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(60)

    private let database: any Database
    private let skew: Duration?
    private let reading = Mutex<Reading?>(nil)

    init(database: any Database, skew: Duration?) {
        self.database = database
        self.skew = skew
    }

    /// How far ahead messages may be now.
    /// - Throws: What the database throws.
    func horizon() async throws -> Horizon {
        guard skew != nil else { return Horizon(now: .now, skew: nil) }
        return Horizon(now: try await now(), skew: skew)
    }

    private func now() async throws -> Timestamp {
        if let reading = reading.withLock({ $0 }) {
            let passed = ContinuousClock.now - reading.instant
            if passed < Self.lifetime { return reading.time + passed }
        }
        let time = try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT \(transaction.dialect.now)").first?.timestamp(0)
        }
        let found = Reading(time: time ?? .now, instant: .now)
        reading.withLock { $0 = found }
        return found.time
    }
}

extension Timestamp {
    fileprivate static func + (time: Timestamp, passed: Duration) -> Timestamp {
        let (seconds, attoseconds) = passed.components
        return Timestamp(microseconds: time.microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}

extension Int64 {
    /// The sum, or the greatest number if that is beyond it.
    fileprivate func addingWithoutOverflow(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
