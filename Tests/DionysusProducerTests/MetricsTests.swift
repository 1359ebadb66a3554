import Dionysus
import DionysusProducer
import MetricsTestKit
import TestSupport
import Testing

/// The metrics of a relay, by the names that operators use.
@Suite struct MetricsTests {
    @Test("messages are counted by topic, rows by topic, and stages are timed", arguments: TestDatabaseKind.available)
    func published(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "UPDATE rentals SET name = 'Castle' WHERE id = 1"
            )
            let metrics = TestMetrics()
            var instrumentation = Instrumentation()
            instrumentation.metricsFactory = metrics
            try await harness.relayService(instrumentation).run()

            func sent(_ topic: String) throws -> Int64 {
                try metrics.expectCounter(
                    "messaging.client.sent.messages",
                    [
                        ("messaging.system", "dionysus"), ("messaging.operation.name", "send"),
                        ("messaging.destination.name", topic),
                    ]
                )
                .totalValue
            }
            #expect(try sent("v3_accounts") == 1)
            #expect(try sent("v3_accounts_genesis") == 1)
            #expect(try sent("v3_rentals") == 2)
            let rentals = [("messaging.destination.name", "v3_rentals")]
            #expect(try metrics.expectCounter("dionysus.relay.published", rentals).totalValue == 2)
            #expect(metrics.counterTotal(label: "dionysus.relay.failures") == 0)
            let sizes = try metrics.expectRecorder("dionysus.relay.batch.size").values
            #expect(sizes.reduce(0, +) == 3)
            for stage in ["claim", "expand", "load", "serialize", "send", "settle"] {
                let timer = try metrics.expectTimer("dionysus.relay.stage.duration", [("stage", stage)])
                #expect(timer.values.count >= sizes.count && timer.values.allSatisfy { $0 >= 0 }, "\(stage)")
            }
            let sending = try metrics.expectTimer(
                "messaging.client.operation.duration",
                [("messaging.system", "dionysus"), ("messaging.operation.name", "send")]
            )
            #expect(sending.values.count == sizes.count)
            #expect(try metrics.expectRecorder("dionysus.relay.lanes.active").lastValue == 0)
        }
    }

    @Test("rows that need no message are counted", arguments: TestDatabaseKind.available)
    func superfluous(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account, "DELETE FROM accounts WHERE id = 1")
            let metrics = TestMetrics()
            var instrumentation = Instrumentation()
            instrumentation.metricsFactory = metrics
            try await harness.relayService(instrumentation).run()
            #expect(try metrics.expectCounter("dionysus.relay.superfluous").totalValue == 1)
            #expect(metrics.counterTotal(label: "dionysus.relay.published") == 1)
        }
    }

    @Test("failures are counted by error, parked rows by topic", arguments: TestDatabaseKind.available)
    func failures(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            let metrics = TestMetrics()
            var instrumentation = Instrumentation()
            instrumentation.metricsFactory = metrics
            instrumentation.errorHandler = Collected<ErrorContext>()
            let broker = RefusingBroker.rejecting("Rental:1", harness.broker)
            try await harness.relayService(instrumentation, broker: broker).run()

            let error = ("error.type", "message_rejected")
            #expect(try metrics.expectCounter("dionysus.relay.failures", [error]).totalValue == 1)
            let rentals = ("messaging.destination.name", "v3_rentals")
            #expect(try metrics.expectCounter("dionysus.relay.parked", [rentals]).totalValue == 1)
            let refused = metrics.counters(label: "messaging.client.sent.messages", dimensions: [error, rentals])
            #expect(refused.map(\.totalValue) == [1])
        }
    }

    @Test(
        "what waits is measured when a relay begins: rows, their age, failed and parked ones",
        arguments: TestDatabaseKind.available
    )
    func backlog(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            var instrumentation = Instrumentation()
            try await harness.write(CaptureTests.account)
            try await harness.relayService(instrumentation).run()
            #expect(instrumentation.latency.lastMinute?.count == 1)
            try await harness.write(
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name, price) VALUES (2, 1, 'Hut', 50)",
                "UPDATE dionysus_outboxes SET failed_at = created_at WHERE published_at IS NULL",
                "UPDATE dionysus_outboxes SET failed_at = '2999-01-01', retry_at = '2999-01-01' WHERE resource_class = 'Rental' AND resource_id = '2'"
            )
            let metrics = TestMetrics()
            instrumentation.metricsFactory = metrics
            try await harness.relayService(instrumentation).run()
            #expect(try metrics.expectRecorder("dionysus.outbox.pending").lastValue == 1)
            #expect(try metrics.expectRecorder("dionysus.outbox.failing").lastValue == 1)
            #expect(try metrics.expectRecorder("dionysus.outbox.parked").lastValue == 1)
            let age = try #require(try metrics.expectRecorder("dionysus.outbox.oldest.age").lastValue)
            let known = try #require(instrumentation.latency.oldestUnpublishedAge)
            #expect(age > 0 && .seconds(age) <= known)
            for statistic in ["min", "max", "avg"] {
                let latency = try metrics.expectRecorder("dionysus.latency", [("statistic", statistic)]).lastValue
                #expect(latency.map { $0 >= 0 } == true)
                let ofOutbox = try metrics.expectRecorder("dionysus.outbox.latency", [("statistic", statistic)])
                #expect(ofOutbox.lastValue.map { $0 >= 0 } == true)
            }
            // Another process, which has published nothing itself, sees the same.
            #expect(instrumentation.latency.ofOutbox?.count == 1)
            let other = Instrumentation()
            try await harness.relayService(other).run()
            #expect(other.latency.lastMinute == nil)
            #expect(other.latency.ofOutbox?.count == 1)
            try await harness.write("UPDATE dionysus_outboxes SET published_at = '2020-01-01'")
            try await harness.relayService(other).run()
            #expect(other.latency.ofOutbox == nil)
        }
    }

    @Test("the latencies of the last minute are summed up, and older ones forgotten")
    func latency() {
        let tracker = LatencyTracker()
        #expect(tracker.lastMinute == nil)
        #expect(tracker.oldestUnpublishedAge == nil)
        let (now, instant) = (Timestamp.now, ContinuousClock.now)
        tracker.record([now + -10], acknowledgedAt: now, instant)
        tracker.record([now + -1, now + -2], acknowledgedAt: now, instant + .seconds(30))
        // The database's clock is ahead.
        tracker.record([now + 5], acknowledgedAt: now, instant + .seconds(31))
        let early = tracker.summary(at: instant + .seconds(32))
        #expect(
            early == .init(minimum: .zero, maximum: .seconds(10), average: .milliseconds(3_250), count: 4)
        )
        let late = tracker.summary(at: instant + .seconds(75))
        #expect(late == .init(minimum: .zero, maximum: .seconds(2), average: .seconds(1), count: 3))
        #expect(tracker.summary(at: instant + .seconds(200)) == nil)
        tracker.note(oldestUnpublished: nil, published: nil)
        #expect(tracker.oldestUnpublishedAge == .zero)
        tracker.note(oldestUnpublished: .now + -60, published: nil)
        #expect(tracker.oldestUnpublishedAge.map { $0 >= .seconds(60) } == true)
    }
}
