import Dionysus
import DionysusConsumer
import DionysusProducer

/// How everything is, in one sentence and a few figures.
struct OverviewReport: Sendable {
    let core: Facts
    let span: Int64
    let series: Reading<SampleSeries?>

    /// What is known of the parts.
    struct Facts: Sendable {
        let hasProducer: Bool
        let hasConsumer: Bool
        let outbox: Reading<OutboxReport.Summary>?
        let failures: Reading<FailureSurvey>?
        let lag: Reading<[PartitionLag]>?
        let runs: Reading<[GenesisRun]>?
        let processes: Reading<ProcessReport>

        static func read(_ core: ConsoleCore) async -> Facts {
            async let outbox = core.outbox?.reading()
            async let failures = core.failures?.reading()
            async let lag = core.lag?.reading()
            async let runs = core.runs?.reading()
            async let processes = core.processes.reading()
            return Facts(
                hasProducer: core.system.producer != nil,
                hasConsumer: core.system.consumer != nil,
                outbox: await outbox,
                failures: await failures,
                lag: await lag,
                runs: await runs,
                processes: await processes
            )
        }

        /// Messages that are still to be applied.
        var lagMessages: Int64? { lag?.value.map { $0.compactMap(\.lag).reduce(0, +) } }

        /// How old the oldest of them is, in seconds.
        var lagAge: Double? { lag?.value?.compactMap { $0.age?.inSeconds }.max() }

        var failed: Int { failures?.value.map { $0.failed } ?? 0 }
        var parked: Int { outbox?.value?.survey.parked.value ?? 0 }
        /// What needs somebody.
        var needsAction: Int { failed + parked }
    }

    /// The spans of charts, in seconds, and their names.
    static let spans: [(name: String, seconds: Int64)] = [
        ("15m", 900), ("1h", 3600), ("6h", 21_600), ("24h", 86_400),
    ]

    static func read(_ core: ConsoleCore, span: Int64) async -> OverviewReport {
        async let facts = Facts.read(core)
        async let series = core.series(span)
        return OverviewReport(core: await facts, span: span, series: await series)
    }

    var verdict: Verdict { Verdict(of: core, series.value ?? nil) }

    /// A topic and what happens with it.
    struct TopicLine: Sendable {
        let topic: String
        let published: Double?
        let applied: Double?
        let waiting: Int
        let oldest: Double?
        let lag: Int64?
        let lagAge: Double?
        let failures: Int
    }

    var topics: [TopicLine] {
        let (cells, lags) = (core.outbox?.value?.survey.cells ?? [], core.lag?.value ?? [])
        let failures = core.failures?.value?.groups ?? []
        let rates = core.processes.value?.topicRates ?? [:]
        let (published, applied) = (rates["relay"] ?? [:], rates["consumer"] ?? [:])
        let names = Set(
            cells.map(\.topic) + lags.map(\.partition.topic) + failures.map(\.topic) + published.keys + applied.keys
        )
        let now = core.outbox?.value?.survey.readAt ?? .now
        return names.subtracting([""]).sorted()
            .map { topic in
                let own = cells.filter { $0.topic == topic }
                let partitions = lags.filter { $0.partition.topic == topic }
                return TopicLine(
                    topic: topic,
                    published: published[topic],
                    applied: applied[topic],
                    waiting: own.map { $0.pending + $0.retrying }.reduce(0, +),
                    oldest: own.compactMap(\.oldest).min().map { Double(now.microseconds(since: $0)) / 1_000_000 },
                    lag: partitions.isEmpty ? nil : partitions.compactMap(\.lag).reduce(0, +),
                    lagAge: partitions.compactMap { $0.age?.inSeconds }.max(),
                    failures: failures.filter { $0.topic == topic }.map(\.count).reduce(0, +)
                )
            }
    }

    var json: JSON {
        .object([
            "verdict": .object(["state": .string(verdict.state.rawValue), "text": .string(verdict.text)]),
            "outbox": core.outbox?.value?.json ?? .null, "outbox_problem": .init(core.outbox?.problem),
            "replica": .object([
                "lag": .init(core.lagMessages), "lag_age": .init(core.lagAge),
                "partitions": .init(core.lag?.value.map { Int64($0.count) }), "problem": .init(core.lag?.problem),
                "failures": .init(core.failures?.value.map { Int64($0.failed) }),
                "waiting": .init(core.failures?.value.map { Int64($0.waiting) }),
                "more_failures": .bool(core.failures?.value?.hasMore ?? false),
                "failures_problem": .init(core.failures?.problem),
            ]),
            "topics": .array(
                topics.map { topic in
                    .object([
                        "topic": .string(topic.topic), "published_per_second": .init(topic.published),
                        "applied_per_second": .init(topic.applied), "waiting": .integer(Int64(topic.waiting)),
                        "oldest_age": .init(topic.oldest), "lag": .init(topic.lag), "lag_age": .init(topic.lagAge),
                        "failures": .integer(Int64(topic.failures)),
                    ])
                }
            ),
            "processes": core.processes.value?.json ?? .null,
            "runs": .array((core.runs?.value ?? []).filter { $0.isOpen }.map(\.json)),
        ])
    }
}
