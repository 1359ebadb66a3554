import Dionysus
import DionysusProducer
import TestSupport

/// A ``ProducerHarness`` with the publisher's tables.
enum PressHarness {
    static func run(
        _ kind: TestDatabaseKind,
        settings: ProducerSettings = ProducerSettings(),
        producer: any Producer = PressSync(),
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await ProducerHarness.run(
            kind,
            settings: settings,
            producer: producer,
            tables: { try PressSchema.create(in: &$0) },
            body
        )
    }
}

extension ProducerHarness {
    /// Writes the records that most tests begin with, and forgets that they were written.
    func writePress() async throws {
        for statement in PressSchema.records { try await write(statement) }
        try await settle()
    }

    /// What is pending for a topic: event and record.
    func pending(in topic: String) async throws -> [String] {
        try await pending().map { $0.split(separator: " ") }.filter { $0[2] == topic }
            .map { "\($0[0]) \($0[1])" }
            .sorted()
    }
}
