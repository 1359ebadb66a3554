import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What a relay tells its heartbeat.
@Suite struct VitalSignTests {
    @Test(
        "a broker that is away is a problem of a relay that gets on, until it is back",
        arguments: TestDatabaseKind.available
    )
    func brokerAway(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            let vitals = Collected<VitalSign>()
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = vitals
            instrumentation.errorHandler = Collected<ErrorContext>()
            let broker = RefusingBroker(base: harness.broker) { _ in
                guard vitals.all.allSatisfy({ $0.problem == nil }) else { return nil }
                return DionysusError(.brokerUnavailable, "nobody answers", isRetriable: true)
            }
            try await harness.relayService(instrumentation, broker: broker).run()

            let problem = try #require(vitals.all.first { $0.problem != nil })
            #expect(problem == VitalSign(.ready, problem: "the broker does not take messages: nobody answers"))
            #expect(vitals.all.first == VitalSign(.starting))
            #expect(vitals.all.last == VitalSign(.stopped))
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }

    @Test("a batch that runs for too long is no progress, and named")
    func stuck() async throws {
        var settings = ProducerSettings()
        settings.messageTimeout = .milliseconds(50)
        settings.leaseTimeout = .milliseconds(100)
        try await ProducerHarness.run(.sqlite, settings: settings) { harness in
            try await harness.write(CaptureTests.account)
            let (stuck, continuation) = AsyncStream.makeStream(of: String.self)
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { vital in
                if !vital.madeProgress { continuation.yield(vital.problem ?? "") }
            }
            instrumentation.errorHandler = Collected<ErrorContext>()
            let problems = Collected<String>()
            let broker = RefusingBroker(
                base: harness.broker,
                refusal: { _ in nil },
                gate: {
                    guard problems.all.isEmpty else { return }
                    for await problem in stuck {
                        problems.add(problem)
                        break
                    }
                }
            )
            try await harness.relayService(instrumentation, broker: broker).run()
            let problem = try #require(problems.all.first)
            #expect(problem.hasPrefix("a batch of lane ") && problem.contains("has been running for"))
            #expect(try await harness.events(in: "v3_accounts").contains("account_created Account:1"))
        }
    }

    @Test("a relay that can't begin says at last that it has stopped, and why")
    func failedStart() async throws {
        try await ProducerHarness.run(.sqlite) { harness in
            try await harness.schema.uninstall()
            let vitals = Collected<VitalSign>()
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = vitals
            await #expect(throws: DionysusError.self) { try await harness.relayService(instrumentation).run() }
            let last = try #require(vitals.all.last)
            #expect(last.state == .stopped && last.problem?.contains("run migrate") == true)
        }
    }
}

private struct Watch: Heartbeat {
    let onRecord: @Sendable (VitalSign) -> Void

    func record(_ vital: VitalSign) { onRecord(vital) }
}
