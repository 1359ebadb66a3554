/// A benchmark, which gives one number for each of its figures.
struct Benchmark: Sendable {
    let name: String
    let figures: [Figure]
    /// Whether it is so slow that it runs only once by default.
    var isLong = false
    let run: @Sendable () async throws -> [Double]

    /// All of them, in the order of the table.
    /// - Parameter minutes: How long `snapshot-held` holds its snapshot.
    static func all(minutes: Double) -> [Benchmark] {
        [
            relay, relayFile, relayAvro, relayDeleted, relayRoundTrip, relaySQLite,
            snapshot, snapshotHeld(minutes: minutes), genesis,
            consumerCreated, consumerUpdated, consumerAvro, consumerBookings, consumerSQLite, consumerKafka,
            captureInsert, captureBulk,
            latency, latencyConsumed, latencyAtRest,
            relayMemory, consumerMemory,
            idle, idleSQLite,
            avroEncode, avroDecode, console, samples,
        ] + events + growth
    }

    /// A measured figure.
    struct Figure: Sendable {
        /// The figure's description.
        ///
        /// A figure that begins with `floor:` is the floor of those before it.
        let name: String
        let unit: String
        /// The targets.
        var targets: [Target] = []

        var isFloor: Bool { name.hasPrefix("floor:") }
    }
}

/// A figure's target.
enum Target: Sendable {
    case atLeast(Double)
    case atMost(Double)
    /// A share of the figure's floor.
    case atLeastOfFloor(Double)
}

/// The samples of one figure.
struct Measurement: Sendable {
    let benchmark: String
    let figure: Benchmark.Figure
    let samples: [Double]
    /// The samples relative to their floor's, run by run; nil without a floor.
    let ratios: [Double]?

    /// The measurements of a benchmark's figures.
    static func measurements(of benchmark: Benchmark, runs: [[Double]]) -> [Measurement] {
        benchmark.figures.indices.map { index in
            let figure = benchmark.figures[index]
            let floor = figure.isFloor ? nil : benchmark.figures[index...].firstIndex(where: \.isFloor)
            return Measurement(
                benchmark: benchmark.name,
                figure: figure,
                samples: runs.map { $0[index] },
                ratios: floor.map { floor in runs.map { $0[index] / $0[floor] } }
            )
        }
    }

    var median: Double { samples.median }
    var minimum: Double { samples.min() ?? 0 }
    var maximum: Double { samples.max() ?? 0 }
    var ratio: Double? { ratios?.median }

    /// Whether all targets are met; nil if there are none.
    var isReached: Bool? {
        guard !figure.targets.isEmpty else { return nil }
        return figure.targets.allSatisfy { target in
            switch target {
            case .atLeast(let value): median >= value
            case .atMost(let value): median <= value
            case .atLeastOfFloor(let share): (ratio ?? 0) >= share
            }
        }
    }
}

extension [Double] {
    /// The median, the upper one of an even number; zero without samples.
    var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}
