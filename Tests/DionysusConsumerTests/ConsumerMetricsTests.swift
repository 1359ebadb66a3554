import Dionysus
import DionysusConsumer
import MetricsTestKit
import TestSupport
import Testing

/// The metrics of a consumer, by the names that operators use.
@Suite(.timeLimit(.minutes(10))) struct ConsumerMetricsTests {
    private static func instrumentation(_ metrics: TestMetrics) -> Instrumentation {
        var instrumentation = Instrumentation()
        instrumentation.metricsFactory = metrics
        instrumentation.errorHandler = Collected<ErrorContext>()
        return instrumentation
    }

    private static let rentals = ("messaging.destination.name", "v3_rentals")

    @Test(arguments: TestDatabaseKind.available)
    func `messages are counted by topic, events by what became of them, and stages are timed`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.accepting { $0.data["name"] != .string("unwanted") }
            try await replica.publish(
                .rental(.created, 1, name: "new", version: 5),
                .rental(.created, 1, name: "outdated", version: 4),
                .rental(.created, 2, name: "unwanted"),
                .event("yacht_created", "Yacht", #"{"id":1},{"id":2}"#),
                .event("rental_painted", "Rental", #"{"id":1}"#),
                .rental(.updated, 3, name: "a", version: 6),
                .rental(.updated, 3, name: "b", version: 7),
                .rental(.updated, 3, name: "c", version: 8),
                WireMessage("v3_rentals", key: "Rental:1", value: nil),
                WireMessage("v3_rentals", key: "Rental:1", value: "null")
            )
            let metrics = TestMetrics()
            try await replica.service(Self.instrumentation(metrics), mirror).run()

            let conventions = [
                ("messaging.system", "dionysus"), ("messaging.operation.name", "process"), Self.rentals,
                ("messaging.consumer.group.name", "dionysus_consumer_group_for_test"),
            ]
            #expect(try metrics.expectCounter("messaging.client.consumed.messages", conventions).totalValue == 10)
            #expect(try metrics.expectTimer("messaging.process.duration", conventions).values.count == 1)
            #expect(try metrics.expectCounter("dionysus.consumer.applied", [Self.rentals]).totalValue == 2)
            let expected = [
                "outdated": 1, "filtered": 1, "collapsed": 2, "no_replica": 2, "tombstone": 2, "unknown_event": 1,
            ]
            for (reason, count) in expected {
                let counter = try metrics.expectCounter(
                    "dionysus.consumer.skipped",
                    [Self.rentals, ("reason", reason)]
                )
                #expect(counter.totalValue == Int64(count), "\(reason)")
            }
            #expect(try metrics.expectRecorder("dionysus.consumer.batch.size").values == [10])
            for stage in ["decode", "bind", "persist", "react"] {
                let timer = try metrics.expectTimer("dionysus.consumer.stage.duration", [("stage", stage)])
                #expect(timer.values.count == 1 && timer.values.allSatisfy { $0 >= 0 }, "\(stage)")
            }
            #expect(metrics.counterTotal(label: "dionysus.consumer.failures") == 0)
            let assigned = try metrics.expectCounter("dionysus.consumer.rebalances", [("change", "assigned")])
            #expect(assigned.totalValue >= 1)
            #expect(try metrics.expectRecorder("dionysus.consumer.partitions").lastValue.map { $0 >= 4 } == true)
        }
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [
            ("record", FailedMessagePolicy.record(laterMessages: .pass)),
            ("dead_letter", .deadLetter(topic: "dead_messages", maxRetries: 1)),
            ("skip", .skip), ("stop", .stop),
        ]
    )
    func `messages that failed are counted by error and by what was done with them, and retries by topic`(
        _ kind: TestDatabaseKind,
        _ choice: (name: String, policy: FailedMessagePolicy)
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.onFailure(choice.policy)
            try await replica.publish(.rental(.created, 1, name: "hut"), .rental(.created, 2, name: "hut"))
            let metrics = TestMetrics()
            let service = replica.service(Self.instrumentation(metrics), mirror)
            if choice.policy == .stop {
                await #expect(throws: DionysusError.self) { try await service.run() }
            } else {
                try await service.run()
            }
            let parked = try metrics.expectCounter("dionysus.consumer.parked", [Self.rentals, ("policy", choice.name)])
            #expect(parked.totalValue == 1)
            // Each try of the message counts; of those together with others, none does.
            let tries: Int64 = choice.name == "dead_letter" ? 2 : 1
            let failures = try metrics.expectCounter("dionysus.consumer.failures", [("error.type", "constraint")])
            #expect(failures.totalValue == tries)
            #expect(try metrics.expectCounter("dionysus.consumer.retries", [Self.rentals]).totalValue == tries)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the lag of owned partitions is measured in messages and seconds, and forgotten at the end`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let metrics = TestMetrics()
            let dimensions = [Self.rentals, ("messaging.destination.partition.id", "0")]
            @Sendable func gauge(_ name: String) -> Double? {
                metrics.recorders(label: name, dimensions: dimensions).first?.lastValue
            }
            let mirror = Mirror(onConsume: { event in
                guard event.offset == 0 else { return }
                // The second batch may be written, and no more, before the reaction to the first one ends.
                var isSeen: Bool {
                    [2, 3].contains(gauge("dionysus.consumer.lag.messages"))
                        && gauge("dionysus.consumer.lag.age") != nil
                }
                while !Task.isCancelled, !isSeen { await Task.yield() }
            })
            var settings = ConsumerSettings.forTests
            settings.batchSize = 1
            settings.lagInterval = .milliseconds(20)
            try await replica.publish((1...4).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.service(Self.instrumentation(metrics), mirror, settings: settings).run()
            #expect(metrics.recorders(label: "dionysus.consumer.lag.messages", dimensions: dimensions).isEmpty)
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["4"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a database that is away is counted, and the messages are counted once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let metrics = TestMetrics()
            let instrumentation = Self.instrumentation(metrics)
            let looks = Collected<ReplicaConsumer.ErrorOccurred>()
            instrumentation.monitor.subscribe(to: ReplicaConsumer.ErrorOccurred.self) { event in
                if event.context == ErrorContext("reach the replica's database") { looks.add(event) }
            }
            let database = FailingDatabase.away(forWrites: 2, of: instrumentation, replica.database)
            try await replica.publish(.rental(.created, 1, name: "hut"))
            try await replica.service(instrumentation, database: database).run()
            let error = ("error.type", "database_unavailable")
            // Where it takes long, the consumer's own look at the database fails meanwhile, too.
            let counted = try metrics.expectCounter("dionysus.consumer.failures", [error]).totalValue
            #expect(counted == 2 + Int64(looks.all.count))
            #expect(metrics.counterTotal(label: "messaging.client.consumed.messages") == 1)
            #expect(metrics.counterTotal(label: "dionysus.consumer.applied") == 1)
        }
    }
}
