import Dionysus

/// A process that has written samples a moment ago.
struct SampledProcess: Sendable, Hashable {
    let name: String
    let role: String
    let version: String
    let startedAt: Timestamp
    let seenAt: Timestamp
    /// What it has handled per second, of late.
    let rate: Double
    let residentBytes: Int64
    /// The share of a processor that it uses; nil until it has written two samples.
    let processorShare: Double?
    let backlog: Int64?
    let age: Double?

    /// Whether its last sample is not older than it should be.
    func isAlive(at now: Timestamp) -> Bool { now.microseconds(since: seenAt) < 30_000_000 }
}

/// What processes have written over a time, by role.
struct SampleSeries: Sendable {
    let start: Timestamp
    /// The seconds of one value.
    let step: Int64
    let count: Int
    /// Per second, by role.
    var rates: [String: [Double?]] = [:]
    /// In seconds, by role.
    var latencyAverages: [String: [Double?]] = [:]
    var latencyLongest: [String: [Double?]] = [:]
    var ages: [String: [Double?]] = [:]
    var failures: [String: [Double?]] = [:]

    static func empty(_ span: Int64, now: Timestamp = .now) -> SampleSeries {
        let step = max(SampleRecorder.interval, span / 180 / SampleRecorder.interval * SampleRecorder.interval)
        let count = Int(span / step)
        let end = now.microseconds / 1_000_000 / step * step
        return SampleSeries(
            start: Timestamp(microseconds: (end - Int64(count) * step) * 1_000_000),
            step: step,
            count: count
        )
    }

    mutating func merge(_ other: SampleSeries) {
        rates.merge(other.rates) { $1 }
        latencyAverages.merge(other.latencyAverages) { $1 }
        latencyLongest.merge(other.latencyLongest) { $1 }
        ages.merge(other.ages) { $1 }
        failures.merge(other.failures) { $1 }
    }
}

extension ConsoleTables {
    /// What processes of this database have written over a time.
    /// - Parameter series: The time, without values.
    /// - Returns: The values; nil if the tables are missing.
    func series(_ series: SampleSeries) async throws -> SampleSeries? {
        let start = series.start.microseconds / 1_000_000
        let (step, count) = (series.step, series.count)
        return try await database.transaction(.snapshot) { [self] transaction in
            guard try exist(in: &transaction) else { return nil }
            // A sample is about the ten seconds that end at its tick.
            let rows = try transaction.run(
                """
                SELECT role, (tick - 1 - \(start)) / \(step) AS place, CAST(sum(handled) AS bigint), CAST(sum(failures) AS bigint),
                  CAST(sum(latency_average_us * handled) AS bigint),
                  CAST(sum(CASE WHEN latency_average_us IS NULL THEN 0 ELSE handled END) AS bigint),
                  max(latency_longest_us), max(age_us), max(latency_average_us)
                FROM \(samples) WHERE tick > \(start) AND tick <= \(start + step * Int64(count))
                GROUP BY role, place
                """
            )
            var result = series
            for row in rows.rows {
                let (role, place) = (try row.text(0) ?? "", Int(try row.integer(1) ?? -1))
                guard (0..<count).contains(place) else { continue }
                func set(_ path: WritableKeyPath<SampleSeries, [String: [Double?]]>, _ value: Double?) {
                    result[keyPath: path][role, default: Array(repeating: nil, count: count)][place] = value
                }
                set(\.rates, Double(try row.integer(2) ?? 0) / Double(step))
                set(\.failures, Double(try row.integer(3) ?? 0) / Double(step))
                let weight = Double(try row.integer(5) ?? 0)
                let average = weight > 0 ? Double(try row.integer(4) ?? 0) / weight : nil
                set(\.latencyAverages, try (average ?? row.integer(8).map(Double.init)).map { $0 / 1_000_000 })
                set(\.latencyLongest, try row.integer(6).map { Double($0) / 1_000_000 })
                set(\.ages, try row.integer(7).map { Double($0) / 1_000_000 })
            }
            return result
        }
    }

    /// The processes of this database that have written within the last minutes, and what they handled by topic.
    /// - Returns: Nil if the tables are missing.
    func processes(now: Timestamp = .now) async throws -> (processes: [SampledProcess], topics: [String: Double])? {
        let earliest = now.microseconds / 1_000_000 - 120
        return try await database.transaction(.snapshot) { [self] transaction in
            guard try exist(in: &transaction) else { return nil }
            let rows = try transaction.run(
                """
                SELECT process, tick, role, version, started, handled, resident_bytes, cpu_ms, backlog, age_us, topics
                FROM \(samples) WHERE tick > \(earliest) ORDER BY process, tick
                """
            )
            var (processes, topics): ([SampledProcess], [String: Double]) = ([], [:])
            var previous: (name: String, tick: Int64, processor: Int64)?
            for row in rows.rows {
                let (name, tick) = (try row.text(0) ?? "", try row.integer(1) ?? 0)
                let processor = try row.integer(7) ?? 0
                let handled = Double(try row.integer(5) ?? 0)
                var share: Double?
                if let previous, previous.name == name, tick > previous.tick {
                    share = Double(processor - previous.processor) / 1000 / Double(tick - previous.tick)
                }
                if processes.last?.name == name { processes.removeLast() }
                processes.append(
                    SampledProcess(
                        name: name,
                        role: try row.text(2) ?? "",
                        version: try row.text(3) ?? "",
                        startedAt: Timestamp(microseconds: (try row.integer(4) ?? 0) * 1_000_000),
                        seenAt: Timestamp(microseconds: tick * 1_000_000),
                        rate: handled / Double(SampleRecorder.interval),
                        residentBytes: try row.integer(6) ?? 0,
                        processorShare: share,
                        backlog: try row.integer(8),
                        age: try row.integer(9).map { Double($0) / 1_000_000 }
                    )
                )
                previous = (name, tick, processor)
                // The last half minute.
                guard tick > earliest + 90,
                    case .object(let counts)? = try? JSON(parsing: Array((try row.text(10) ?? "").utf8))
                else { continue }
                for member in counts.members {
                    if case .integer(let count) = member.value { topics[member.name, default: 0] += Double(count) / 30 }
                }
            }
            return (processes, topics)
        }
    }
}
