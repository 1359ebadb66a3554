import Dionysus
import DionysusConsumer
import DionysusKafka
import FakeKafka
import TestSupport
import Testing

/// Transactional producers on Kafka, whose marks take offsets.
@Suite(.timeLimit(.minutes(10))) struct TransactionMarkTests {
    @Test(arguments: TestDatabaseKind.available, RecordBatch.Ending.allCases)
    func `a replica whose log ends with a mark is behind by nothing, ends when it has caught up, and commits that`(
        _ kind: TestDatabaseKind,
        _ ending: RecordBatch.Ending
    ) async throws {
        try await Self.run(kind) { replica, kafka in
            func append(_ id: Int, producer: Int64?) {
                let message = WireMessage.rental(.created, id, name: "r\(id)")
                let value = String(decoding: message.value ?? [], as: UTF8.self)
                let batch = RecordBatch.records([(message.key, value)], producer: producer)
                _ = kafka.change { $0.append(batch, to: "v3_rentals", 0) }
            }
            append(1, producer: nil)
            append(2, producer: 7)
            _ = kafka.change { $0.append(.end(ending, producer: 7), to: "v3_rentals", 0) }
            try await replica.consume()
            var lag = try await replica.rentalsLag()
            #expect(lag.lag == 0 && lag.position == 3 && lag.endOffset == 3 && lag.age == .zero)
            #expect(kafka.change { $0.committed["v3_rentals"]?[0] } == 3)

            // Behind what has been consumed already, with nothing before it.
            _ = kafka.change { $0.append(.end(ending, producer: 8), to: "v3_rentals", 0) }
            #expect(try await replica.rentalsLag().lag == 1)
            try await replica.consume()
            lag = try await replica.rentalsLag()
            #expect(lag.lag == 0 && lag.position == 4)
            #expect(kafka.change { $0.committed["v3_rentals"]?[0] } == 4)

            append(3, producer: 9)
            _ = kafka.change { $0.append(.end(.commit, producer: 9), to: "v3_rentals", 0) }
            try await replica.consume()
            #expect(try await replica.rentalsLag().position == 6)
            let names = try await replica.rows("SELECT synced_id FROM rentals ORDER BY synced_id")
            #expect(names == (ending == .commit ? ["1", "2", "3"] : ["1", "3"]))
        }
    }

    private static func run(
        _ kind: TestDatabaseKind,
        _ body: (ReplicaHarness, FakeKafka) async throws -> Void
    ) async throws {
        try await ReplicaHarness.run(kind) { harness in
            try await FakeKafka.run { kafka in
                kafka.change { script in
                    for topic in ["v3_accounts", "v3_rentals", "v3_bookings"] {
                        script.createTopic(topic, partitions: 1)
                    }
                }
                let broker = try KafkaBroker(bootstrapServers: kafka.bootstrapServers)
                do {
                    try await body(ReplicaHarness(database: harness.database, broker: broker), kafka)
                } catch {
                    await broker.close()
                    throw error
                }
                await broker.close()
            }
        }
    }
}
