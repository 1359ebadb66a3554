import Dionysus
import DionysusProducer
import Dispatch
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct LowWaterTests {
    @Test(arguments: TestDatabaseKind.available.filter { $0 == .postgres })
    func `the mark does not pass the row of a transaction that is still open, the youngest there is`(
        _ kind: TestDatabaseKind
    ) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            // Other tests use the server too, and their transactions may be younger: one of several tries will do.
            for number in 1...20 {
                let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
                let end = DispatchSemaphore(value: 0)
                async let writing: Void = harness.database.transaction(.write) { transaction in
                    try transaction.run(
                        """
                        INSERT INTO dionysus_outboxes
                          (resource_class, resource_id, event_name, topic, created_at, updated_at)
                        VALUES ('Account', \("\(number)"), 'account_updated', 'v3_accounts', now(), now())
                        """
                    )
                    hasBegun.yield()
                    end.wait()
                }
                for await _ in begun { break }
                for _ in 1...4 {
                    _ = try await harness.database.transaction(.write) { transaction in
                        try transaction.run(harness.database.outbox.advanceLowWaterMark(ofLane: 0, lanes: 1))
                    }
                }
                end.signal()
                try await writing
                let hidden = try await harness.database.transaction(.snapshot) { transaction in
                    try transaction.run(
                        "SELECT 1 FROM dionysus_outboxes o JOIN dionysus_lanes l ON o.id <= l.low_water WHERE l.lane = 0"
                    )
                }
                #expect(hidden.isEmpty)
                try await harness.settle()
            }
        }
    }
}
