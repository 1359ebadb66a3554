import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConcurrencyTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a slow partition does not hold up another, even for messages that come later`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
            let mirror = Mirror(onConsume: { event in
                guard event.source.partition == 0 else { return arrival.finish() }
                // The other partition's message is published while this one is being worked on.
                try await replica.publish(.rental(.created, 2, partition: 1))
                for await _ in arrivals {}
            })
            try await replica.publish(.rental(.created, 1, partition: 0))
            try await replica.consume(mirror)
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY synced_id") == ["1", "2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `with virtual lanes, keys of a partition don't wait for one another, and each keeps its order`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (others, other) = AsyncStream.makeStream(of: Void.self)
            let consumed = Mutex<[String: [Int64]]>([:])
            let mirror = Mirror(
                rentals: ConsumerTopic("rentals").lanes(8).batchTransformation(nil),
                onConsume: { event in
                    let id = event.data["synced_id"]?.text ?? ""
                    let isFirst = consumed.withLock { consumed in
                        consumed[id, default: []].append(event.offset)
                        return consumed.values.reduce(0) { $0 + $1.count } == 1
                    }
                    guard isFirst else { return other.finish() }
                    // The first message's lane stands still until another one has come on.
                    for await _ in others {}
                }
            )
            var settings = ConsumerSettings.forTests
            settings.batchSize = 10
            try await replica.publish(
                (0..<200).map { .rental($0 < 20 ? .created : .updated, $0 % 20, name: "number \($0)") }
            )
            try await replica.consume(mirror, settings: settings)
            let offsets = consumed.withLock { $0 }
            #expect(offsets.count == 20)
            #expect(offsets.values.allSatisfy { $0.count == 10 && $0 == $0.sorted() })
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["200"])
            let names = try await replica.rows("SELECT name FROM rentals ORDER BY synced_id")
            #expect(names == (180..<200).map { "number \($0)" })
        }
    }

    @Test(
        "after a stop in the middle, each message of each lane is handled once, with any number of lanes",
        arguments: TestDatabaseKind.available,
        [1, 3, 4]
    )
    func interruption(_ kind: TestDatabaseKind, _ lanes: Int) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.database.transaction(.write) {
                _ = try $0.run("CREATE TABLE handled (place bigint PRIMARY KEY, times bigint NOT NULL)")
            }
            let others = Mutex<Set<Int64>>([])
            let rentals = ConsumerTopic("rentals").batchTransformation(nil)
            let failing = rentals.onFailure(.stop).lanes(4)
                .handling { event, transaction in
                    try Self.count(event, in: &transaction)
                    if event.message.offset != 13 { return .acknowledged }
                    // Messages behind it are finished before it fails, so that there is a gap.
                    let isEarly = others.withLock { $0.count } < 20
                    throw DionysusError(isEarly ? .transactionConflict : .application, "13", isRetriable: isEarly)
                }
            var settings = ConsumerSettings.forTests
            settings.batchSize = 7
            try await replica.publish((0..<100).map { .rental(.created, $0, name: "number \($0)") })
            await #expect(throws: DionysusError.self) {
                let mirror = Mirror(
                    rentals: failing,
                    onConsume: { event in
                        others.withLock { _ = $0.insert(event.offset) }
                    }
                )
                try await replica.consume(mirror, settings: settings)
            }
            let stored = try await replica.rows("SELECT next_offset FROM dionysus_offsets")
            #expect(stored.compactMap { Int($0) }.allSatisfy { $0 <= 13 })
            #expect(try await replica.rows("SELECT count(*) FROM handled WHERE place > 13") != ["0"])
            #expect(try await replica.rows("SELECT count(*) FROM handled WHERE place = 13") == ["0"])

            let mended = rentals.lanes(lanes)
                .handling { event, transaction in
                    try Self.count(event, in: &transaction)
                    return .acknowledged
                }
            try await replica.consume(Mirror(rentals: mended), settings: settings)
            try await replica.publish((100..<150).map { .rental(.created, $0, name: "number \($0)") })
            try await replica.consume(Mirror(rentals: mended), settings: settings)
            #expect(try await replica.rows("SELECT count(*), sum(times) FROM handled") == ["150 150"])
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["150"])
            #expect(try await replica.rows("SELECT next_offset, lanes FROM dionysus_offsets") == ["150 \(lanes)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, [1, 4])
    func `a slow consumer stops reading its partition, stays in the group, and reads on`(
        _ kind: TestDatabaseKind,
        _ lanes: Int
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let broker = WatchedBroker(replica.broker)
            let partition = TopicPartition("v3_rentals", 0)
            let isFirst = Mutex(true)
            let mirror = Mirror(
                rentals: ConsumerTopic("rentals").lanes(lanes),
                onConsume: { _ in
                    // Only one may wait: lanes react at the same time, and each note is reported once.
                    guard
                        isFirst.withLock({ isFirst in
                            defer { isFirst = false }; return isFirst
                        })
                    else { return }
                    for await note in broker.notes where note == .pause([partition]) { break }
                }
            )
            var settings = ConsumerSettings.forTests
            settings.batchSize = 5
            try await replica.publish((0..<100).map { .rental(.created, $0, name: "number \($0)") })
            try await ReplicaHarness(database: replica.database, broker: broker).consume(mirror, settings: settings)
            broker.finish()
            let notes = await broker.notes.reduce(into: []) { $0.append($1) }
            #expect(notes.contains(.resume([partition])))
            #expect(!notes.contains { if case .lost = $0 { true } else { false } })
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["100"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `when another member has moved the offset of a lane, nothing is applied twice`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let consumed = Mutex<[Int64]>([])
            let database = replica.database
            // The first reaction comes after the first batch: another member finishes the lanes before the second.
            let mirror = Mirror(
                rentals: ConsumerTopic("rentals").lanes(2),
                onConsume: { event in
                    let isFirst = consumed.withLock { offsets in
                        offsets.append(event.offset)
                        return offsets.count == 1
                    }
                    guard isFirst else { return }
                    try await database.transaction(.write) {
                        _ = try $0.run("UPDATE dionysus_lane_offsets SET next_offset = 40")
                    }
                }
            )
            var settings = ConsumerSettings.forTests
            settings.batchSize = 2
            // One key, so that all messages are one lane's.
            try await replica.publish((0..<60).map { .rental(.updated, 7, name: "number \($0)") })
            try await replica.consume(mirror, settings: settings)
            let offsets = consumed.withLock { $0 }
            #expect(offsets == offsets.sorted())
            #expect(offsets.filter { (2..<40).contains($0) } == [])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["number 59"])
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["60"])
        }
    }

    private static func count(_ event: IncomingEvent, in transaction: inout Transaction) throws {
        try transaction.run(
            """
            INSERT INTO handled (place, times) VALUES (\(event.message.offset), 1)
            ON CONFLICT (place) DO UPDATE SET times = handled.times + 1
            """
        )
    }
}
