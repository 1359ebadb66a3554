import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// The same stream gives the same replica, however it is delivered.
@Suite struct ReplayTests {
    /// What messages say about how recent they are.
    enum Recency: Sendable, CaseIterable {
        case versions
        case times
        case nothing
    }

    private static let rentals: SQL = """
        SELECT synced_id, name, synced_version, synced_updated_at, synced_canceled_at FROM rentals ORDER BY synced_id
        """

    /// The messages of each record, in their order: it is created, changed, destroyed, created again.
    private static func histories(_ recency: Recency) -> [[WireMessage]] {
        var version: Int64 = 0
        var minute = 0
        return (1...30)
            .map { id in
                var exists = false
                return (0..<Int.random(in: 4...14))
                    .map { number in
                        version += 1
                        let change: EventName.Change =
                            !exists ? .created : Int.random(in: 0..<4) == 0 ? .destroyed : .updated
                        // Changes that follow each other may have the same time; a record is created again later.
                        if change == .created || Bool.random() { minute += 1 }
                        exists = change != .destroyed
                        return .rental(
                            change,
                            id,
                            name: exists ? "\(id) in state \(number)" : nil,
                            updatedAt: recency == .times ? Self.time(minute) : nil,
                            partition: Int32(id % 4),
                            version: recency == .versions ? version : nil
                        )
                    }
            }
    }

    private static func time(_ minute: Int) -> String {
        Timestamp(microseconds: 1_700_000_000_000_000 + Int64(minute) * 60_000_000).iso8601()
    }

    /// The messages of all records, mixed at random; those of a record keep their order.
    private static func mixed(_ histories: [[WireMessage]]) -> [WireMessage] {
        var rest = histories.map { $0[...] }
        var owners = histories.enumerated().flatMap { index, history in history.map { _ in index } }
        owners.shuffle()
        return owners.compactMap { rest[$0].popFirst() }
    }

    /// The replica after streams that are applied one after the other.
    private static func replica(
        _ kind: TestDatabaseKind,
        _ streams: [WireMessage]...,
        batchSize: Int,
        isReplayed: Bool = false
    ) async throws -> [String] {
        try await ReplicaHarness.run(kind) { replica in
            var settings = ConsumerSettings.forTests
            settings.batchSize = batchSize
            for stream in streams {
                try await replica.publish(stream)
                try await replica.consume(settings: settings)
            }
            if isReplayed {
                try await ConsumerPositions(
                    Mirror(),
                    database: replica.database,
                    broker: replica.broker,
                    settings: settings
                )
                .reset("v3_rentals")
                try await replica.consume(settings: settings)
            }
            #expect(try await replica.rows("SELECT error_message FROM dionysus_failures") == [])
            return try await replica.rows(rentals)
        }
    }

    @Test(arguments: TestDatabaseKind.available, Recency.allCases)
    func `a stream delivered once, twice, mixed in another way and replayed from zero gives the same replica`(
        _ kind: TestDatabaseKind,
        _ recency: Recency
    ) async throws {
        let histories = Self.histories(recency)
        let stream = Self.mixed(histories)
        let once = try await Self.replica(kind, stream, batchSize: 2_000)
        let alive = histories.indices.filter { index in
            let last = histories[index].last?.value ?? []
            return !String(decoding: last, as: UTF8.self).contains("rental_destroyed")
        }
        #expect(once.compactMap { $0.split(separator: " ").first } == alive.map { "\($0 + 1)" })
        #expect(try await Self.replica(kind, stream, batchSize: 7) == once)
        #expect(try await Self.replica(kind, stream, stream, batchSize: 50) == once)
        #expect(try await Self.replica(kind, Self.mixed(histories), batchSize: 100) == once)
        #expect(try await Self.replica(kind, stream, batchSize: 30, isReplayed: true) == once)
    }
}
