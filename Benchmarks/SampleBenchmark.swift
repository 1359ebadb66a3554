import CoreMetrics
import Dionysus
import DionysusConsole
import DionysusSQLite

// What it costs a process to write its figures for the console.

extension Benchmark {
    static let samples = Benchmark(
        name: "samples",
        figures: [
            Figure(name: "one sample to PostgreSQL, with a day of samples of ten processes", unit: "ms"),
            Figure(name: "the same by the time between two samples", unit: "%", targets: [.atMost(1)]),
            Figure(name: "one sample to SQLite", unit: "ms"),
            Figure(name: "the same by the time between two samples", unit: "%", targets: [.atMost(1)]),
            Figure(name: "counting a batch of one topic", unit: "ns"),
        ],
        run: {
            let postgres = try await withDatabase { try await sampleTime($0) }
            let sqlite = try await withTemporaryDirectory { directory in
                let database = try SQLiteDatabase(path: directory + "/samples.sqlite")
                let time = try await sampleTime(database)
                await database.close()
                return time
            }
            let interval = Double(SampleRecorder.interval) * 1_000
            return [
                postgres.sample, postgres.sample / interval * 100, sqlite.sample, sqlite.sample / interval * 100,
                postgres.count,
            ]
        }
    )
}

/// - Returns: The median time of a sample in milliseconds, and the time to count a batch in nanoseconds.
private func sampleTime(_ database: any CapturingDatabase) async throws -> (sample: Double, count: Double) {
    let tables = ConsoleTables(replica: database)
    try await tables.migrate()
    let recorder = SampleRecorder(.consumer, tables: tables, version: "1.0", logger: quiet)
    let now = Timestamp.now.microseconds / 1_000_000 / SampleRecorder.interval * SampleRecorder.interval
    // Kept samples are those of a day.
    try await execute(
        database,
        """
        INSERT INTO dionysus_samples (process, tick, role, version, started, handled, failures, resident_bytes, cpu_ms, topics)
        SELECT 'process ' || p.number, \(now) - t.number * \(SampleRecorder.interval), 'relay', '1.0', 0, 0, 0, 0, 0, '{}'
        FROM \(database.dialect.rows([numbers(10)], alias: "p")) CROSS JOIN \(database.dialect.rows([numbers(8_640)], alias: "t"))
        """
    )
    let counter = recorder.metricsFactory.makeCounter(
        label: TelemetryName.applied,
        dimensions: [(TelemetryName.destination, "v3_rentals")]
    )
    let clock = ContinuousClock()
    let batches = 100_000
    let counting = clock.measure { for _ in 0..<batches { counter.increment(by: 500) } }
    var times: [Double] = []
    for number in 1...200 {
        let tick = now + Int64(number) * SampleRecorder.interval
        times.append(seconds(try await clock.measure { try await recorder.write(at: tick, "bench") }) * 1_000)
    }
    return (times.median, seconds(counting) / Double(batches) * 1e9)
}

private func numbers(_ count: Int64) -> BulkColumn {
    BulkColumn("number", .integer, (1...count).map { .integer($0) })
}
