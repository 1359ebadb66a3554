import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Monitor events of a consumer, each in its situation, and what the error handler receives.
@Suite(.timeLimit(.minutes(10))) struct ConsumerMonitorTests {
    private static let names = [
        "assigned", "error", "heartbeat", "lost", "message_failed", "processed_batch", "processing_batch", "revoked",
        "shutting_down", "started", "stopped",
    ]
    .map { ["assigned", "lost", "revoked"].contains($0) ? "consumer.partitions_\($0)" : "consumer.\($0)" }

    /// Collects the names of a consumer's events.
    private static func watch(_ instrumentation: Instrumentation) throws -> Collected<String> {
        let collected = Collected<String>()
        for name in names { try instrumentation.monitor.subscribe(to: name) { _ in collected.add(name) } }
        return collected
    }

    @Test func `subscribing to an unknown event is an error that lists the consumer's too`() {
        let error = #expect(throws: DionysusError.self) {
            try Monitor().subscribe(to: "consumer.startd") { _ in }
        }
        #expect(error?.code == .notFound)
        for name in Self.names { #expect(error?.description.contains(name) == true, "\(name)") }
        #expect(Monitor.eventNames.filter { $0.hasPrefix("consumer.") } == Self.names.sorted())
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer tells when it starts, is given partitions, works on a batch and stops`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let instrumentation = Instrumentation()
            let names = try Self.watch(instrumentation)
            let processed = Collected<ReplicaConsumer.ProcessedBatch>()
            let assigned = Collected<TopicPartition>()
            instrumentation.monitor.subscribe(to: ReplicaConsumer.ProcessedBatch.self, processed.add)
            instrumentation.monitor.subscribe(to: ReplicaConsumer.PartitionsAssigned.self) {
                $0.partitions.forEach(assigned.add)
            }
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)", partition: 1) })
            try await replica.service(instrumentation).run()

            let all = names.all
            #expect(all.first == "consumer.started" && all.last == "consumer.stopped")
            let order = ["partitions_assigned", "processing_batch", "processed_batch", "stopped"]
                .map { all.firstIndex(of: "consumer.\($0)") }
            #expect(order.allSatisfy { $0 != nil } && order.compactMap(\.self) == order.compactMap(\.self).sorted())
            #expect(all.contains("consumer.heartbeat"))
            #expect(assigned.all.filter { $0.topic == "v3_rentals" }.map(\.partition).sorted() == [0, 1, 2, 3])
            let batch = try #require(processed.all.first)
            #expect(processed.all.count == 1)
            #expect(batch.partition == TopicPartition("v3_rentals", 1))
            #expect(batch.messages == 3 && batch.applied == 3 && batch.failed == 0 && batch.error == nil)
            #expect(batch.duration > .zero)
            for trouble in ["error", "message_failed", "partitions_lost", "shutting_down"] {
                #expect(!all.contains("consumer.\(trouble)"))
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer that is asked to end tells that it is shutting down, then that it has stopped`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let names = Collected<String>()
            let (heartbeats, continuation) = AsyncStream.makeStream(of: Void.self)
            let instrumentation = Instrumentation()
            for name in ["consumer.shutting_down", "consumer.stopped"] {
                try instrumentation.monitor.subscribe(to: name) { _ in names.add(name) }
            }
            instrumentation.monitor.subscribe(to: ReplicaConsumer.Heartbeat.self) { _ in continuation.yield() }
            try await replica.whileConsuming(instrumentation) {
                for await _ in heartbeats { break }
            }
            #expect(names.all == ["consumer.shutting_down", "consumer.stopped"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer that can't begin tells that it has stopped, and why`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.database.transaction(.write) { _ = try $0.run("DROP TABLE dionysus_failures") }
            let stopped = Collected<ReplicaConsumer.Stopped>()
            let vitals = Collected<VitalSign>()
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = vitals
            instrumentation.monitor.subscribe(to: ReplicaConsumer.Stopped.self, stopped.add)
            await #expect(throws: DionysusError.self) { try await replica.service(instrumentation).run() }
            #expect(stopped.all.map { ($0.error as? DionysusError)?.code } == [.declaration])
            let last = try #require(vitals.all.last)
            #expect(last.state == .stopped && last.problem?.contains("the consumer can't start") == true)
        }
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [
            ("record", FailedMessagePolicy.record(laterMessages: .pass)),
            ("dead_letter", .deadLetter(topic: "dead_messages", maxRetries: 0)),
            ("skip", .skip), ("stop", .stop),
        ]
    )
    func `a message that fails is reported once, with its place and what is done with it`(
        _ kind: TestDatabaseKind,
        _ choice: (name: String, policy: FailedMessagePolicy)
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.onFailure(choice.policy)
            // The second is refused by the database, so that the batch is divided and the first is met again.
            var bad = [WireMessage("v3_rentals", partition: 3, value: "nonsense")]
            if choice.policy != .stop { bad.append(.rental(.created, 2, name: "hut", partition: 3)) }
            try await replica.publish([.rental(.created, 1, name: "hut", partition: 3)] + bad)
            let failures = Collected<ReplicaConsumer.MessageFailed>()
            let errors = Collected<ErrorContext>()
            var instrumentation = Instrumentation()
            instrumentation.errorHandler = errors
            instrumentation.monitor.subscribe(to: ReplicaConsumer.MessageFailed.self, failures.add)
            let service = replica.service(instrumentation, mirror)
            if choice.policy == .stop {
                await #expect(throws: DionysusError.self) { try await service.run() }
            } else {
                try await service.run()
            }
            let codes: [DionysusError.Code] = choice.policy == .stop ? [.malformed] : [.malformed, .constraint]
            #expect(failures.all.map(\.error.code) == codes)
            #expect(failures.all.allSatisfy { $0.policy == choice.name })
            #expect(failures.all.map(\.context.offset) == Array([1, 2].prefix(codes.count)))
            #expect(failures.all.allSatisfy { $0.context.topic == "v3_rentals" && $0.context.partition == 3 })
            #expect(errors.all == failures.all.map(\.context))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the error handler receives each attempt at a message that fails, with its number`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "hut"), .rental(.created, 2, name: "hut"))
            let errors = Collected<ErrorContext>()
            var instrumentation = Instrumentation()
            instrumentation.errorHandler = errors
            var settings = ConsumerSettings.forTests
            settings.maxRetries = 2
            try await replica.service(instrumentation, settings: settings).run()
            #expect(errors.all.map(\.attempt) == [1, 2, 3])
            #expect(errors.all.allSatisfy { $0.activity == "apply a message" && $0.offset == 1 })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a database that is away is an error of the batch until it is back`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let occurred = Collected<ReplicaConsumer.ErrorOccurred>()
            let (errors, vitals) = (Collected<ErrorContext>(), Collected<VitalSign>())
            var instrumentation = Instrumentation()
            instrumentation.monitor.subscribe(to: ReplicaConsumer.ErrorOccurred.self, occurred.add)
            instrumentation.errorHandler = errors
            instrumentation.heartbeat = vitals
            let database = FailingDatabase.away(forWrites: 2, of: instrumentation, replica.database)
            try await replica.publish(.rental(.created, 1, name: "hut", partition: 2))
            try await replica.service(instrumentation, database: database).run()

            // Where it takes long, the consumer's own look at the database fails meanwhile, too, and is reported once.
            let look = ErrorContext("reach the replica's database")
            let looks = errors.all.filter { $0 == look }
            #expect(looks.count <= 1)
            #expect(
                errors.all.filter { $0 != look }
                    == [1, 2].map { ErrorContext("write a batch", topic: "v3_rentals", partition: 2, attempt: $0) }
            )
            #expect(occurred.all.map(\.context) == errors.all)
            let problem =
                looks.isEmpty
                ? "could not write a batch: nobody answers" : "the replica's database can't be reached: nobody answers"
            #expect(vitals.all.contains(VitalSign(.ready, problem: problem)))
            #expect(vitals.all.dropLast().last == VitalSign(.ready))
            #expect(vitals.all.last == VitalSign(.stopped))
            #expect(try await replica.rows("SELECT name FROM rentals") == ["hut"])
        }
    }
}
