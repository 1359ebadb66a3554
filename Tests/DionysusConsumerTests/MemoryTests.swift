import Dionysus
import DionysusConsumer
import DionysusEmbedded
import Synchronization
import TestSupport
import Testing

/// What a consumer is given may be far larger than the memory that it may use.
@Suite(.timeLimit(.minutes(10))) struct MemoryTests {
    private static func settings(_ body: (inout ConsumerSettings) -> Void = { _ in }) -> ConsumerSettings {
        var settings = ConsumerSettings.forTests
        settings.memoryBudget = MemoryBudget(bytes: MemoryBudget.smallestSize)
        body(&settings)
        return settings
    }

    private static func account(
        _ change: EventName.Change,
        _ id: Int,
        _ name: String,
        partition: Int32 = 0,
        version: Int64
    ) -> WireMessage {
        var message = WireMessage.event(
            "account_\(change)",
            "Account",
            #"{"id":\#(id),"name":"\#(name)"}"#,
            partition: partition,
            version: version
        )
        message.key = "Account:\(id)"
        return message
    }

    /// Notes how many messages each batch has.
    private struct BatchSizes: ConsumerMiddleware {
        let note: @Sendable (Int) async -> Void

        func handle(_ batch: MessageBatch, _ next: () async throws -> Void) async throws {
            await note(batch.messages.count)
            try await next()
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `messages of 300 KB are applied in their order with the smallest budget, few at a time`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let text = String(repeating: "x", count: 300_000)
            try await replica.publish(
                (0..<60)
                    .map { Self.account($0 < 20 ? .created : .updated, $0 % 20, "\($0) \(text)", version: Int64($0)) }
            )
            let sizes = Mutex<[Int]>([])
            let offsets = Mutex<[Int64]>([])
            var mirror = MiddlewareMirror(layer: BatchSizes { size in sizes.withLock { $0.append(size) } })
            mirror.onConsume = { event in offsets.withLock { $0.append(event.offset) } }
            let settings = Self.settings()
            try await replica.consume(mirror, settings: settings)
            #expect(offsets.withLock(\.self) == Array(0..<60))
            #expect(sizes.withLock { $0.allSatisfy { $0 == 1 } })
            let rows = try await replica.rows(
                "SELECT substr(name, 1, 2), length(name) FROM accounts ORDER BY synced_id"
            )
            #expect(rows == (40..<60).map { "\($0) 300003" })
            #expect(settings.memoryBudget.held == 0)
        }
    }

    @Test(arguments: TestDatabaseKind.available, [1, 4])
    func `with the smallest budget, many partitions with messages of every size are worked off`(
        _ kind: TestDatabaseKind,
        _ lanes: Int
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.broker.createTopics([TopicSpecification(name: "v3_accounts", partitions: 32)])
            let sizes = [10, 2_000, 30_000, 10, 400_000, 2_000, 10]
            let messages = (0..<7)
                .flatMap { step in
                    (0..<32)
                        .map { partition in
                            let size = sizes[(step + partition) % sizes.count]
                            let text = String(repeating: "x", count: size)
                            return Self.account(
                                .created,
                                partition * 10 + step,
                                text,
                                partition: Int32(partition),
                                version: 1
                            )
                        }
                }
            try await replica.publish(messages)
            let settings = Self.settings { $0.concurrency = 3 }
            let mirror = Mirror(accounts: ConsumerTopic("accounts", accepting: .any).lanes(lanes))
            try await replica.consume(mirror, settings: settings)
            let rows = try await replica.rows("SELECT count(*), sum(length(name)) FROM accounts")
            #expect(rows == ["224 \(32 * sizes.reduce(0, +))"])
            #expect(settings.memoryBudget.held == 0)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what waits for a table that can't be written keeps no memory from the others`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (events, onEvent) = AsyncStream.makeStream(of: String.self)
            var mirror = Mirror()
            mirror.onConsume = { onEvent.yield("\($0.name)") }
            try await replica.broker.createTopics([TopicSpecification(name: "v3_rentals", partitions: 12)])
            try await replica.publish(.rental(.created, 1_000, name: "first"))
            let text = String(repeating: "x", count: 200_000)
            let rentals = (0..<12)
                .flatMap { partition in
                    (0..<4)
                        .map { number in
                            WireMessage.event(
                                "rental_created",
                                "Rental",
                                #"{"id":\#(partition * 10 + number),"name":"\#(partition) \#(number)","notes":"\#(text)"}"#,
                                partition: Int32(partition)
                            )
                        }
                }
            let settings = Self.settings()
            try await replica.whileConsuming(mirror, Instrumentation(), settings: settings, loggingTo: LogLines()) {
                var seen = events.makeAsyncIterator()
                #expect(await seen.next() == "rental_created")
                try await replica.run("ALTER TABLE rentals RENAME COLUMN name TO name_away")
                try await replica.publish(rentals)
                try await replica.publish((0..<8).map { Self.account(.created, $0, text, version: 1) })
                for _ in 0..<8 { #expect(await seen.next() == "account_created") }
                try await replica.run("ALTER TABLE rentals RENAME COLUMN name_away TO name")
                for _ in 0..<48 { #expect(await seen.next() == "rental_created") }
            }
            #expect(try await replica.rows("SELECT count(*) FROM rentals WHERE name IS NOT NULL") == ["49"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `while a message is applied that takes the whole budget, no other is read`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { harness in
            let broker = CountingBroker(base: harness.broker)
            let replica = ReplicaHarness(database: harness.database, broker: broker)
            let text = String(repeating: "x", count: 400_000)
            try await replica.publish((0..<4).map { Self.account(.created, $0, text, version: 1) })
            let read = Mutex<[Int]>([])
            let mirror = MiddlewareMirror(
                layer: BatchSizes { _ in
                    await broker.reads.pass()
                    read.withLock { $0.append(broker.reads.messages) }
                }
            )
            try await replica.consume(mirror, settings: Self.settings())
            #expect(read.withLock(\.self) == [1, 2, 3, 4])
            #expect(try await replica.rows("SELECT count(*) FROM accounts") == ["4"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a record of 40 MB passes`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { harness in
            try await withTemporaryDirectory { directory in
                let broker = try EmbeddedBroker(
                    path: "\(directory)/log.sqlite",
                    options: EmbeddedLogOptions(maximumMessageBytes: 50_000_000)
                )
                let replica = ReplicaHarness(database: harness.database, broker: broker)
                let text = String(repeating: "x", count: 40_000_000)
                try await replica.publish(
                    Self.account(.created, 1, "small", version: 1),
                    Self.account(.created, 2, text, version: 1),
                    Self.account(.created, 3, "small", version: 1)
                )
                try await replica.consume(settings: Self.settings())
                let rows = try await replica.rows("SELECT length(name) FROM accounts ORDER BY synced_id")
                #expect(rows == ["5", "40000000", "5"])
                await broker.close()
            }
        }
    }
}

/// A replica of accounts with a middleware around its batches.
private struct MiddlewareMirror: Consumer {
    let layer: any ConsumerMiddleware
    var onConsume: @Sendable (ConsumedEvent) async throws -> Void = { _ in }

    var namespaces: [Namespace] {
        Namespace("v3") { Topic("accounts", accepting: .any).batchTransformation(nil).middleware(layer) }
    }

    func didConsume(_ event: ConsumedEvent) async throws { try await onConsume(event) }
}

/// A broker that counts what is read.
private struct CountingBroker: BrokerWrapper {
    let base: any MessageBroker
    let reads = Reads()

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        CountingConsumer(base: try await base.makeConsumer(options), reads: reads)
    }
}

private struct CountingConsumer: ConsumerWrapper {
    let base: any MessageConsumer
    let reads: Reads

    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let number = reads.begin()
        let event = try await base.next(maxMessages: maxMessages, maxBytes: maxBytes, timeout: timeout)
        if case .messages(let messages) = event { reads.add(messages.count) }
        reads.end(number)
        return event
    }
}

private final class Reads: Sendable {
    private let counts = Mutex((begun: 0, messages: 0))
    private let ended = AsyncStream.makeStream(of: Int.self)

    /// How many messages have been read.
    var messages: Int { counts.withLock(\.messages) }

    func begin() -> Int {
        counts.withLock { counts in
            counts.begun += 1
            return counts.begun
        }
    }

    func add(_ messages: Int) { counts.withLock { $0.messages += messages } }

    func end(_ number: Int) { ended.continuation.yield(number) }

    /// Waits until one has begun and ended since.
    func pass() async {
        let begun = counts.withLock(\.begun)
        for await number in ended.stream where number > begun { return }
    }
}
