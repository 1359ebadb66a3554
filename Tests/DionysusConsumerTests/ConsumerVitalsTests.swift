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
    func `a batch that is under way for too long is no progress, and named`(_ kind: TestDatabaseKind) async throws {
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
            #expect(problem.hasPrefix("a batch of v3_rentals[2] has been under way for"))
        }
    }

    @Test func `times that make no sense are errors that name the setting`() {
        var settings = ConsumerSettings()
        (settings.stuckAfter, settings.lagInterval) = (.zero, .zero)
        #expect(settings.faults.contains { $0.contains("stuckAfter") })
        #expect(settings.faults.contains { $0.contains("lagInterval") })
    }
}
