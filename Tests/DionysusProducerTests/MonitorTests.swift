import Dionysus
import DionysusProducer
import Logging
import ServiceLifecycle
import TestSupport
import Testing

/// Monitor events, each in its situation.
@Suite struct MonitorTests {
    @Test("subscribing to an unknown event is an error that lists the known ones")
    func unknown() throws {
        let error = #expect(throws: DionysusError.self) {
            try Monitor().subscribe(to: "outbox_producer.publishd") { _ in }
        }
        #expect(error?.code == .notFound)
        for name in [
            "started", "stopped", "shutting_down", "error", "publishing_failed", "published", "processing_topic",
            "processed_topic", "lock_exists_for_topic", "heartbeat",
        ] {
            #expect(error?.description.contains("outbox_producer.\(name)") == true)
            #expect(Monitor.eventNames.contains("outbox_producer.\(name)"))
        }
        #expect(Monitor.eventNames.count { $0.hasPrefix("outbox_producer.") } == 10)
    }

    @Test("an event reaches those who have subscribed by type or by name, until they cancel")
    func subscriptions() throws {
        let monitor = Monitor()
        let (typed, named) = (Collected<Int>(), Collected<String>())
        let subscription = monitor.subscribe(to: OutboxProducer.LockExistsForTopic.self) { typed.add($0.lane) }
        try monitor.subscribe(to: "outbox_producer.lock_exists_for_topic") { named.add(type(of: $0).name) }
        monitor.emit(OutboxProducer.LockExistsForTopic(lane: 3, topics: []))
        monitor.emit(OutboxProducer.Heartbeat(pendingLanes: 1))
        monitor.cancel(subscription)
        monitor.emit(OutboxProducer.LockExistsForTopic(lane: 4, topics: []))
        #expect(typed.all == [3])
        #expect(named.all == Array(repeating: "outbox_producer.lock_exists_for_topic", count: 2))
    }

    @Test(
        "a relay tells when it starts, looks, takes a topic, publishes and stops",
        arguments: TestDatabaseKind.available
    )
    func ordinaryLife(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            let names = Collected<String>()
            let instrumentation = Instrumentation()
            for name in Monitor.eventNames {
                try instrumentation.monitor.subscribe(to: name) { _ in names.add(name) }
            }
            let published = Collected<OutboxProducer.Published>()
            let processed = Collected<OutboxProducer.ProcessedTopic>()
            instrumentation.monitor.subscribe(to: OutboxProducer.Published.self, published.add)
            instrumentation.monitor.subscribe(to: OutboxProducer.ProcessedTopic.self, processed.add)
            try await harness.relayService(instrumentation).run()

            let all = names.all
            #expect(all.first == "outbox_producer.started")
            #expect(all.last == "outbox_producer.stopped")
            #expect(all.contains("outbox_producer.heartbeat"))
            let first = try #require(all.firstIndex(of: "outbox_producer.processing_topic"))
            let second = try #require(all.firstIndex(of: "outbox_producer.published"))
            let third = try #require(all.firstIndex(of: "outbox_producer.processed_topic"))
            #expect(first < second && second < third)
            #expect(published.all.map(\.topic).sorted() == ["v3_accounts", "v3_rentals"])
            #expect(published.all.flatMap(\.rowIDs).sorted() == [1, 2])
            let record = try #require(published.all.flatMap(\.records).first { $0.topic == "v3_rentals" })
            #expect(record.modelName == "Rental" && record.recordID == "1" && record.eventName == "rental_created")
            #expect(record.partitionKey == "1" && record.attempts == 0 && record.createdAt != nil)
            let rentals = try #require(processed.all.first { $0.topic == "v3_rentals" })
            #expect(rentals.rows == 1 && rentals.published == 1 && rentals.failed == 0 && rentals.duration > .zero)
            for trouble in ["error", "publishing_failed", "lock_exists_for_topic", "shutting_down"] {
                #expect(!all.contains("outbox_producer.\(trouble)"))
            }
        }
    }

    @Test("a relay that is asked to end tells that it is shutting down, then that it has stopped")
    func shutdown() async throws {
        try await ProducerHarness.run(.sqlite) { harness in
            let names = Collected<String>()
            let (heartbeats, continuation) = AsyncStream.makeStream(of: Void.self)
            let instrumentation = Instrumentation()
            for name in ["outbox_producer.shutting_down", "outbox_producer.stopped"] {
                try instrumentation.monitor.subscribe(to: name) { _ in names.add(name) }
            }
            instrumentation.monitor.subscribe(to: OutboxProducer.Heartbeat.self) { _ in continuation.yield() }
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let relay = harness.relayService(instrumentation, mode: .continuous)
            let group = ServiceGroup(services: [relay], logger: logger)
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                for await _ in heartbeats { break }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            #expect(names.all == ["outbox_producer.shutting_down", "outbox_producer.stopped"])
        }
    }

    @Test("a relay that can't begin tells that it has stopped, and why")
    func failedStart() async throws {
        try await ProducerHarness.run(.sqlite) { harness in
            try await harness.schema.uninstall()
            let stopped = Collected<OutboxProducer.Stopped>()
            let instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: OutboxProducer.Stopped.self, stopped.add)
            await #expect(throws: DionysusError.self) { try await harness.relayService(instrumentation).run() }
            #expect(stopped.all.map { ($0.error as? DionysusError)?.code } == [.declaration])
        }
    }

    @Test(
        "a relay whose polling fails for good ends with the error, although its workers wait for lanes",
        .timeLimit(.minutes(10)),
        arguments: TestDatabaseKind.available
    )
    func failedPoll(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let (heartbeats, continuation) = AsyncStream.makeStream(of: Void.self)
            let stopped = Collected<OutboxProducer.Stopped>()
            let instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: OutboxProducer.Heartbeat.self) { _ in continuation.yield() }
            instrumentation.monitor.subscribe(to: OutboxProducer.Stopped.self, stopped.add)
            let relay = harness.relayService(instrumentation, mode: .continuous)
            await withTaskGroup { tasks in
                tasks.addTask {
                    await #expect(throws: DionysusError.self) { try await relay.run() }
                }
                for await _ in heartbeats { break }
                await #expect(throws: Never.self) { try await harness.schema.uninstall() }
                await tasks.waitForAll()
            }
            #expect(stopped.all.map { ($0.error as? DionysusError)?.code } == [.statement])
        }
    }

    @Test(
        "a row that fails is reported with its record and attempts, and whether it is parked",
        arguments: TestDatabaseKind.available
    )
    func publishingFailed(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 2
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name, price) VALUES (2, 1, 'Hut', 50)"
            )
            let broker = RefusingBroker.rejecting("Rental:1", harness.broker)
            let failures = Collected<OutboxProducer.PublishingFailed>()
            let errors = Collected<ErrorContext>()
            var instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: OutboxProducer.PublishingFailed.self, failures.add)
            instrumentation.errorHandler = errors
            try await harness.relayService(instrumentation, broker: broker).run()
            try await harness.write("UPDATE dionysus_outboxes SET retry_at = created_at WHERE retry_at IS NOT NULL")
            try await harness.relayService(instrumentation, broker: broker).run()

            #expect(failures.all.map(\.isParked) == [false, true])
            #expect(failures.all.map(\.context.attempt) == [1, 2])
            #expect(failures.all.allSatisfy { $0.error.code == .messageRejected })
            let context = try #require(failures.all.first?.context)
            #expect(context.topic == "v3_rentals" && context.record == "Rental:1" && context.rowIDs.count == 1)
            #expect(context.lane != nil)
            #expect(failures.all.map(\.record.attempts) == [0, 1])
            #expect(failures.all.allSatisfy { [$0.record.id] == $0.context.rowIDs && $0.record.recordID == "1" })
            #expect(errors.all == failures.all.map(\.context))
            #expect(try await harness.events(in: "v3_rentals") == ["rental_created Rental:2"])
        }
    }

    @Test("a broker that is away is an error of the lane until it is back", arguments: TestDatabaseKind.available)
    func brokerAway(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.workers = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account)
            let occurred = Collected<OutboxProducer.ErrorOccurred>()
            let errors = Collected<ErrorContext>()
            var instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: OutboxProducer.ErrorOccurred.self, occurred.add)
            instrumentation.errorHandler = errors
            // A message and its replica, twice.
            let broker = RefusingBroker.away(forMessages: 4, harness.broker)
            try await harness.relayService(instrumentation, broker: broker).run()

            #expect(errors.all.map(\.attempt) == [1, 2])
            #expect(errors.all.allSatisfy { $0.activity == "give messages to the broker" && $0.lane != nil })
            #expect(occurred.all.map(\.context) == errors.all)
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }

    @Test(
        "a lane that another relay holds is reported with its topics, and taken when it is free",
        arguments: TestDatabaseKind.available
    )
    func heldLane(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            let lock = LeasedResource(
                name: "lane-0",
                lockingQuery: "SELECT lane FROM dionysus_lanes WHERE lane = 0 FOR UPDATE SKIP LOCKED"
            )
            let lease = try #require(try await harness.database.lease(lock, idleTimeout: .seconds(60)))
            let (lanes, continuation) = AsyncStream.makeStream(of: OutboxProducer.LockExistsForTopic.self)
            let instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: OutboxProducer.LockExistsForTopic.self) {
                continuation.yield($0)
            }
            let relay = harness.relayService(instrumentation)
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { try await relay.run() }
                for await event in lanes {
                    #expect(event.lane == 0)
                    #expect(event.topics == ["v3_accounts", "v3_rentals"])
                    break
                }
                await lease.abandon()
                try await tasks.waitForAll()
            }
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }
}
