import Dionysus
import DionysusProducer
import Logging
import TestSupport
import Testing

/// Verifications that relays start by themselves.
@Suite(.timeLimit(.minutes(10))) struct VerificationScheduleTests {
    @Test(arguments: TestDatabaseKind.available)
    func `of several relays one starts a run of each published model at an interval`(
        _ kind: TestDatabaseKind
    ) async throws {
        var settings = ProducerSettings()
        settings.verificationInterval = .seconds(86_400)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account)
            let models = Set(
                harness.registry.outline.flatMap { topic in
                    topic.models.map { "\(topic.name)_verification \($0.model)" }
                }
            )
            try await harness.whileTwoRelaysRun {
                while try await harness.finishedRuns().count < models.count {}
            }
            let first = try await harness.runs()
            #expect(first.count == models.count)
            #expect(Set(first.map { "\($0.topic) \($0.model)" }) == models)

            // Relays look at one model after another, so they have left all others alone when the last one is started.
            let last = try #require(first.last)
            try await harness.write(
                """
                UPDATE dionysus_genesis_runs SET created_at = \(harness.database.dialect.now(minus: 86_500))
                WHERE id = \(last.id)
                """
            )
            try await harness.whileTwoRelaysRun {
                while try await harness.finishedRuns().count <= models.count {}
            }
            let again = try await harness.runs().dropFirst(models.count)
            #expect(again.map { "\($0.topic) \($0.model)" } == ["\(last.topic) \(last.model)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a verification of one record doesn't take the place of the one of all`(_ kind: TestDatabaseKind) async throws
    {
        var settings = ProducerSettings()
        settings.verificationInterval = .seconds(86_400)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(CaptureTests.account)
            let one = try await Verification(
                database: harness.database,
                registry: harness.registry,
                settings: settings
            )
            .start(topic: "v3_accounts", model: "Account", from: "1", to: "1", on: harness.broker)
            try await harness.whileTwoRelaysRun {
                while try await !harness.finishedRuns().contains(where: { $0.model == "Account" && $0.id != one.id }) {}
            }
            let accounts = try await harness.runs().filter { $0.model == "Account" }
            #expect(accounts.map(\.firstKey) == ["1", nil])
        }
    }
}

extension ProducerHarness {
    fileprivate func runs() async throws -> [GenesisRun] {
        try await Verification(database: database, registry: registry, settings: settings).runs()
    }

    fileprivate func finishedRuns() async throws -> [GenesisRun] {
        try await runs().filter { $0.state == .completed }
    }

    fileprivate func whileTwoRelaysRun(_ body: () async throws -> Void) async throws {
        try await withRelay { _ in try await withRelay { _ in try await body() } }
    }
}
