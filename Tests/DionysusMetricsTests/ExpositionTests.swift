import CoreMetrics
import DionysusMetrics
import Testing
import Tracing

struct ExpositionTests {
    private let openMetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

    @Test func aCounterHasItsTotal() {
        let metrics = MetricCollector()
        let counter = Counter(
            label: "dionysus.relay.published",
            dimensions: [("messaging.destination.name", "v3_rentals")],
            factory: metrics
        )
        counter.increment(by: 3)
        counter.increment()
        let exposition = metrics.exposition()
        #expect(exposition.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            exposition.body == """
                # HELP dionysus_relay_published_total Rows of the outbox that were published
                # TYPE dionysus_relay_published_total counter
                dionysus_relay_published_total{messaging_destination_name="v3_rentals"} 4

                """
        )
    }

    @Test func openMetricsNamesTheFamilyWithoutTheTotalAndEnds() {
        let metrics = MetricCollector()
        Counter(label: "orders", factory: metrics).increment()
        let exposition = metrics.exposition(accepting: openMetrics)
        #expect(exposition.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(exposition.body == "# HELP orders orders\n# TYPE orders counter\norders_total 1\n# EOF\n")
    }

    @Test(
        arguments: [
            (nil, false), ("text/plain", false), ("*/*", false), ("application/json", false),
            ("application/openmetrics-text", true), ("application/openmetrics-text; version=1.0.0; q=0.3", true),
            ("application/openmetrics-text;q=0.3, text/plain;q=0.9", false),
            ("application/openmetrics-text; version=0.0.1", false), ("application/openmetrics-text;q=0", false),
            (";;,,q=,=", false),
        ]
    )
    func whoScrapesChoosesTheFormat(_ accepted: String?, isOpen: Bool) {
        let exposition = MetricCollector().exposition(accepting: accepted)
        #expect(exposition.contentType.hasPrefix("application/openmetrics-text") == isOpen)
    }

    @Test func aTimerIsAHistogramOfSeconds() {
        var bounds = HistogramBounds()
        bounds.metrics["work"] = [0.1, 1]
        let metrics = MetricCollector(bounds: bounds)
        let timer = Timer(label: "work", factory: metrics)
        timer.recordNanoseconds(100_000_000)
        timer.recordNanoseconds(250_000_000)
        timer.recordNanoseconds(2_000_000_000)
        timer.recordNanoseconds(-5)
        #expect(
            metrics.exposition(accepting: openMetrics).body == """
                # HELP work_seconds work
                # TYPE work_seconds histogram
                # UNIT work_seconds seconds
                work_seconds_bucket{le="0.1"} 2
                work_seconds_bucket{le="1.0"} 3
                work_seconds_bucket{le="+Inf"} 4
                work_seconds_sum 2.35
                work_seconds_count 4
                # EOF

                """
        )
    }

    @Test func aRecorderIsAHistogramAndAGaugeIsNone() {
        var bounds = HistogramBounds()
        bounds.recorders = [10]
        let metrics = MetricCollector(bounds: bounds)
        let recorder = Recorder(label: "size", factory: metrics)
        recorder.record(10)
        recorder.record(10.5)
        recorder.record(Double.nan)
        Gauge(label: "level", factory: metrics).record(1.5)
        let body = metrics.exposition().body
        #expect(body.contains("size_bucket{le=\"10.0\"} 1\nsize_bucket{le=\"+Inf\"} 2\nsize_sum 20.5\nsize_count 2\n"))
        #expect(body.contains("# TYPE level gauge\nlevel 1.5\n"))
    }

    @Test func aMeterGoesUpAndDown() {
        let metrics = MetricCollector()
        let meter = Meter(label: "level", factory: metrics)
        meter.set(5)
        meter.increment(by: 2)
        meter.decrement(by: 4.5)
        #expect(metrics.exposition().body.contains("\nlevel 2.5\n"))
    }

    @Test func aCounterOfFractionsKeepsThem() {
        let metrics = MetricCollector()
        let counter = FloatingPointCounter(label: "seconds.spent", factory: metrics)
        counter.increment(by: 0.25)
        counter.increment(by: 0.5)
        #expect(metrics.exposition().body.contains("seconds_spent_total 0.75\n"))
    }

    @Test func countersAreResetAndNeverFall() {
        let metrics = MetricCollector()
        let counter = Counter(label: "orders", factory: metrics)
        counter.increment(by: 5)
        counter.increment(by: -3)
        #expect(metrics.exposition().body.contains("orders_total 5\n"))
        counter.reset()
        #expect(metrics.exposition().body.contains("orders_total 0\n"))
    }

    @Test func aGaugeThatNobodyHasSetIsNotShown() {
        let metrics = MetricCollector()
        let gauge = Gauge(label: "level", factory: metrics)
        #expect(metrics.exposition().body.isEmpty)
        gauge.record(0)
        #expect(metrics.exposition().body.contains("level 0.0\n"))
    }

    @Test func unitsOfTheLibrarysMetricsStandInTheirNames() {
        let metrics = MetricCollector()
        Gauge(label: "dionysus.outbox.oldest.age", factory: metrics).record(2)
        Gauge(label: "dionysus.consumer.lag.messages", factory: metrics).record(2)
        let body = metrics.exposition().body
        #expect(body.contains("\ndionysus_outbox_oldest_age_seconds 2.0\n"))
        #expect(body.contains("\ndionysus_consumer_lag_messages 2.0\n"))
    }

    @Test func whateverStandsInALabelIsEscaped() {
        let metrics = MetricCollector()
        Counter(
            label: "orders",
            dimensions: [("from", "a\\b\"c\nd{}"), ("le", "1"), ("1x", ""), ("__name__", "é")],
            factory: metrics
        )
        .increment()
        #expect(
            metrics.exposition().body
                .contains(
                    #"orders_total{_1x="",key___name="é",from="a\\b\"c\nd{}",key_le="1"} 1"#
                )
        )
    }

    @Test func attributesThatBecomeOneLabelHaveOneValue() {
        let metrics = MetricCollector()
        Counter(label: "orders", dimensions: [("a.b", "1"), ("a_b", "2")], factory: metrics).increment()
        #expect(metrics.exposition().body.contains(#"orders_total{a_b="1;2"} 1"#))
    }

    @Test func theOrderOfDimensionsDoesNotMatter() {
        let metrics = MetricCollector()
        Counter(label: "orders", dimensions: [("a", "1"), ("b", "2")], factory: metrics).increment()
        Counter(label: "orders", dimensions: [("b", "2"), ("a", "1")], factory: metrics).increment()
        #expect(metrics.exposition().body.contains(#"orders_total{a="1",b="2"} 2"#))
    }

    @Test func whatIsDestroyedByAllWhoMadeItIsGone() {
        let metrics = MetricCollector()
        let (first, second) = (Counter(label: "orders", factory: metrics), Counter(label: "orders", factory: metrics))
        first.increment()
        first.destroy()
        #expect(metrics.exposition().body.contains("orders_total 1\n"))
        second.destroy()
        #expect(metrics.exposition().body.isEmpty)
        let gauge = Gauge(label: "level", factory: metrics)
        gauge.record(1)
        gauge.destroy()
        #expect(metrics.exposition().body.isEmpty)
    }

    @Test func oneNameIsOneKindOfMetric() {
        let metrics = MetricCollector()
        Counter(label: "orders", factory: metrics).increment()
        Gauge(label: "orders", factory: metrics).record(7)
        Timer(label: "orders", factory: metrics).recordNanoseconds(7)
        #expect(
            metrics.exposition().body == "# HELP orders_total orders\n# TYPE orders_total counter\norders_total 1\n"
        )
    }

    @Test func namesThatPrometheusCannotTellApartAreOne() {
        let metrics = MetricCollector()
        Recorder(label: "a.b", factory: metrics).record(1)
        for label in ["a_b", "a.b.count", "a.b.bucket", "target.info"] {
            Gauge(label: label, factory: metrics).record(1)
        }
        Counter(label: "a.b.total", factory: metrics).increment()
        let types = metrics.exposition().body.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(types == ["# TYPE a_b histogram"])
    }

    @Test func seriesBeyondTheLimitGoTogether() {
        var limits = MetricLimits()
        limits.seriesPerMetric = 2
        limits.valueLength = 5
        let metrics = MetricCollector(limits: limits)
        for name in ["one", "two", "three", "four", "one"] {
            Counter(label: "orders", dimensions: [("of", name)], factory: metrics).increment()
        }
        Counter(label: "long", dimensions: [("of", "abcdefgh")], factory: metrics).increment()
        let body = metrics.exposition().body
        #expect(body.contains("orders_total{of=\"one\"} 2\n"))
        #expect(body.contains("orders_total{otel_metric_overflow=\"true\"} 2\n"))
        #expect(!body.contains("three"))
        #expect(body.contains(#"long_total{of="abcde"} 1"#))
    }

    @Test func metricsBeyondTheLimitAreNotCollected() {
        var limits = MetricLimits()
        limits.metrics = 2
        let metrics = MetricCollector(limits: limits)
        for name in ["a", "b", "c", "a"] { Counter(label: name, factory: metrics).increment() }
        let body = metrics.exposition().body
        #expect(body.contains("a_total 2\n"))
        #expect(!body.contains("c_total"))
    }

    @Test func theServiceIsDescribed() {
        let metrics = MetricCollector(resource: ["service.name": "book\"ings", "service.version": "1"])
        #expect(
            metrics.exposition().body.hasSuffix("target_info{service_name=\"book\\\"ings\",service_version=\"1\"} 1\n")
        )
        #expect(metrics.exposition(accepting: openMetrics).body.contains("# TYPE target info\n"))
    }

    @Test func nothingIsLostWhereManyRecordAtOnce() async {
        let metrics = MetricCollector()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for number in 0..<5_000 {
                        Counter(label: "orders", dimensions: [("last", "\(number % 7)")], factory: metrics).increment()
                        Timer(label: "work", factory: metrics).recordNanoseconds(Int64(number))
                        FloatingPointCounter(label: "parts", factory: metrics).increment(by: 0.5)
                    }
                }
            }
        }
        let body = metrics.exposition().body
        let orders = body.split(separator: "\n").filter { $0.hasPrefix("orders_total") }
            .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        #expect(orders.reduce(0, +) == 20_000)
        #expect(body.contains("work_seconds_count 20000\n"))
        #expect(body.contains("parts_total 10000.0\n"))
    }
}
