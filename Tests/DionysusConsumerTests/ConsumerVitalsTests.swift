import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

/// What a consumer tells its heartbeat.
@Suite(.timeLimit(.minutes(10))) struct ConsumerVitalsTests {
    private struct Watch: Heartbeat {
        let onRecord: @Sendable (VitalSign) -> Void

        func record(_ vital: VitalSign) { onRecord(vital) }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a consumer that is merely idle is well`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let vitals = Collected<VitalSign>()
            let (polls, continuation) = AsyncStream.makeStream(of: Void.self)
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = vitals
            instrumentation.monitor.subscribe(to: ReplicaConsumer.Heartbeat.self) { _ in continuation.yield() }
            try await replica.whileConsuming(instrumentation) {
                var count = 0
                for await _ in polls {
                    count += 1
                    if count == 10 { break }
                }
            }
            #expect(vitals.all.first == VitalSign(.starting))
            #expect(vitals.all.last == VitalSign(.stopped))
            #expect(vitals.all.contains(VitalSign(.ready)))
            #expect(vitals.all.allSatisfy { $0.problem == nil && $0.madeProgress })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a broker that is away is a problem of a consumer that gets on, until it is back`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let isAway = Mutex(false)
            let errors = Collected<ErrorContext>()
            let (signs, continuation) = AsyncStream.makeStream(of: VitalSign.self)
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { continuation.yield($0) }
            instrumentation.errorHandler = errors
            let broker = UnreachableBroker(base: replica.broker) {
                isAway.withLock { $0 }
                    ? DionysusError(.brokerUnavailable, "nobody answers", isRetriable: true) : nil
            }
            let problem = "the broker can't be reached: nobody answers"
            try await replica.whileConsuming(instrumentation, broker: broker) {
                var seen = signs.makeAsyncIterator()
                func wait(for sign: VitalSign) async { while let next = await seen.next(), next != sign {} }
                await wait(for: VitalSign(.ready))
                isAway.withLock { $0 = true }
                await wait(for: VitalSign(.ready, problem: problem))
                await wait(for: VitalSign(.ready, problem: problem))
                isAway.withLock { $0 = false }
                await wait(for: VitalSign(.ready))
            }
            #expect(errors.all == [ErrorContext("read from the broker")])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an idle consumer is not well while its database is away, or does not answer at all`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let isAway = Mutex(false)
            let database = FailingDatabase(base: replica.database) { _ in
                isAway.withLock(\.self) ? DionysusError(.databaseUnavailable, "nobody answers", isRetriable: true) : nil
            }
            let (signs, continuation) = AsyncStream.makeStream(of: VitalSign.self)
            let errors = Collected<ErrorContext>()
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { continuation.yield($0) }
            instrumentation.errorHandler = errors
            try await replica.publish(.rental(.created, 1, name: "one"))
            try await replica.whileConsuming(instrumentation, database: database) {
                var seen = signs.makeAsyncIterator()
                func wait(for sign: VitalSign) async { while let next = await seen.next(), next != sign {} }
                await wait(for: VitalSign(.ready))
                // A batch that can't be written is another trouble.
                while try await replica.rows("SELECT next_offset FROM dionysus_offsets WHERE next_offset = 1").isEmpty {
                }
                isAway.withLock { $0 = true }
                let problem = "the replica's database can't be reached: nobody answers"
                for _ in 1...3 { await wait(for: VitalSign(.ready, problem: problem)) }
                isAway.withLock { $0 = false }
                await wait(for: VitalSign(.ready))
            }
            #expect(errors.all == [ErrorContext("reach the replica's database")])
        }
    }

    @Test func `a database whose connections are frozen makes a consumer not ready as well`() async throws {
        try await ReplicaHarness.run(.sqlite) { replica in
            let isFrozen = Mutex(false)
            let database = FrozenDatabase(base: replica.database) { isFrozen.withLock(\.self) }
            let (signs, continuation) = AsyncStream.makeStream(of: VitalSign.self)
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { continuation.yield($0) }
            try await replica.whileConsuming(instrumentation, database: database) {
                var seen = signs.makeAsyncIterator()
                while let next = await seen.next(), next != VitalSign(.ready) {}
                isFrozen.withLock { $0 = true }
                while let next = await seen.next(), next.problem?.contains("has not answered for") != true {}
                isFrozen.withLock { $0 = false }
                while let next = await seen.next(), next != VitalSign(.ready) {}
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a batch that runs for too long is no progress, and named`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (stuck, continuation) = AsyncStream.makeStream(of: String.self)
            let problems = Collected<String>()
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { vital in
                // On a busy machine the beginning may take longer than the limit, too.
                guard !vital.madeProgress, let problem = vital.problem, problem.contains("batch") else { return }
                continuation.yield(problem)
            }
            let mirror = Mirror(onConsume: { _ in
                for await problem in stuck {
                    problems.add(problem)
                    break
                }
            })
            var settings = ConsumerSettings.forTests
            settings.stuckAfter = .milliseconds(100)
            try await replica.publish(.rental(.created, 1, name: "hut", partition: 2))
            try await replica.service(instrumentation, mirror, settings: settings).run()
            let problem = try #require(problems.all.first)
            #expect(problem.hasPrefix("a batch of v3_rentals[2] has been running for"))
        }
    }

    @Test func `times that make no sense are errors that name the setting`() {
        var settings = ConsumerSettings()
        (settings.stuckAfter, settings.lagInterval) = (.zero, .zero)
        #expect(settings.faults.contains { $0.contains("stuckAfter") })
        #expect(settings.faults.contains { $0.contains("lagInterval") })
    }
}
