import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct MiddlewareTests {
    private struct Broken: Error {}

    /// Reads what was written backwards.
    private struct Reversal: ConsumerMiddleware {
        func receive(_ message: ConsumedMessage) async throws -> ConsumedMessage? {
            var message = message
            message.value = message.value.map { $0.reversed() }
            // Not for a middleware to say.
            message.source = TopicPartition("elsewhere", 7)
            message.offset += 100
            return message
        }
    }

    /// Does what the closures say.
    private struct Layer: ConsumerMiddleware {
        var onMessage: @Sendable (ConsumedMessage) async throws -> ConsumedMessage? = { $0 }
        var onBatch: @Sendable (MessageBatch, () async throws -> Void) async throws -> Void = { try await $1() }
        var onBegin: @Sendable (MessageBatch, inout Transaction) throws -> Void = { _, _ in }

        func receive(_ message: ConsumedMessage) async throws -> ConsumedMessage? { try await onMessage(message) }

        func handle(_ batch: MessageBatch, _ next: () async throws -> Void) async throws {
            try await onBatch(batch, next)
        }

        func begin(_ batch: MessageBatch, in transaction: inout Transaction) throws { try onBegin(batch, &transaction) }
    }

    private static let names: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    private static func reversed(_ message: WireMessage) -> WireMessage {
        var message = message
        message.value = message.value.map { $0.reversed() }
        return message
    }

    private static func listener(_ layers: any ConsumerMiddleware...) -> Listener {
        var topic = ConsumerTopic("rentals")
        for layer in layers { topic = topic.middleware(layer) }
        return Listener(topics: [topic])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message can be replaced, but not moved`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...3).map { Self.reversed(.rental(.created, $0, name: "rental \($0)")) })
            try await replica.consume(Self.listener(Reversal()))
            #expect(try await replica.rows(Self.names) == ["1", "2", "3"])
            #expect(try await replica.rows("SELECT topic, next_offset FROM dionysus_offsets") == ["v3_rentals 3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message can be dropped, and its offset is passed`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let listener = Self.listener(Layer(onMessage: { $0.offset == 1 ? nil : $0 }))
            try await replica.publish((1...2).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(listener)
            #expect(try await replica.rows(Self.names) == ["1"])
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["2"])
            #expect(try await replica.failedOffsets == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message can be failed, and is kept as it came from the broker`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let layer = Layer(onMessage: { message in
                if message.offset == 1 { throw Broken() }
                return message
            })
            let malformed = WireMessage("v3_rentals", value: "reversed nonsense")
            try await replica.publish(
                [
                    .rental(.created, 1, name: "first"), .rental(.created, 2, name: "second"), malformed,
                    .rental(.created, 4, name: "last"),
                ]
                .map(Self.reversed)
            )
            try await replica.consume(Self.listener(Reversal(), layer))
            #expect(try await replica.rows(Self.names) == ["1", "4"])
            #expect(try await replica.failedOffsets == ["1", "2"])
            let errors = try await replica.rows(
                "SELECT error_class, error_message FROM dionysus_failures ORDER BY \"offset\""
            )
            #expect(errors.first == "application v3_rentals[0] offset 1: a middleware failed on a message")
            let payloads = try await replica.rows("SELECT payload FROM dionysus_failures ORDER BY \"offset\"")
            #expect(payloads.last == String("reversed nonsense".reversed()))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the first that is declared is the outermost, and the consumer's are outside the topic's`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let steps = Mutex<[String]>([])
            let note = { @Sendable (step: String) in steps.withLock { $0.append(step) } }
            let layer = { @Sendable (name: String) in
                Layer(
                    onMessage: { message in
                        note("\(name) message \(message.offset)")
                        return message
                    },
                    onBatch: { batch, next in
                        note("\(name) before \(batch.messages.count) of \(batch.partition)")
                        try await next()
                        note("\(name) after")
                    },
                    onBegin: { _, transaction in try Journal.note(name, in: &transaction) }
                )
            }
            let topic = ConsumerTopic("rentals").middleware(layer("b"), layer("c"))
            let listener = Listener(
                topics: [topic],
                middleware: [layer("a")],
                onConsume: { note("consumed \($0.offset)") }
            )
            try await replica.publish(.rental(.created, 1, name: "first"), .rental(.created, 2, name: "second"))
            try await replica.consume(listener)
            let messages = [0, 1].flatMap { offset in ["a", "b", "c"].map { "\($0) message \(offset)" } }
            #expect(
                steps.withLock { $0 } == ["a", "b", "c"].map { "\($0) before 2 of v3_rentals[0]" } + messages
                    + ["consumed 0", "consumed 1"] + ["c after", "b after", "a after"]
            )
            #expect(try await replica.journal == ["a", "b", "c"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what begins a transaction is undone with it`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let layer = Layer(onBegin: { batch, transaction in
                try Journal.note(batch.messages.map { "\($0.offset)" }.joined(separator: ","), in: &transaction)
                if batch.messages.contains(where: { $0.offset == 1 }) { throw Broken() }
            })
            try await replica.publish((1...2).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(Self.listener(layer))
            #expect(try await replica.journal == ["0"])
            #expect(try await replica.rows(Self.names) == ["1"])
            let errors = try await replica.rows("SELECT error_message FROM dionysus_failures")
            #expect(errors == ["v3_rentals[0] offset 1: a middleware failed to begin a transaction with Broken"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error before the batch is committed fails it, and an error after it is reported and changes nothing`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let calls = Mutex(0)
            let layer = Layer(onBatch: { batch, next in
                if batch.messages.contains(where: { $0.offset == 1 }) { throw Broken() }
                try await next()
                calls.withLock { $0 += 1 }
                throw Broken()
            })
            let errors = ToldErrors()
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(Self.listener(layer), tellingErrorsTo: errors)
            #expect(try await replica.rows(Self.names) == ["1", "3"])
            #expect(try await replica.failedOffsets == ["1"])
            let activity = "end the middleware around a batch, which has been committed"
            #expect(errors.all.filter { $0.context.activity == activity }.count == calls.withLock { $0 })
            #expect(calls.withLock { $0 } >= 2)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error of the batch can be looked at, but not be swallowed`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let seen = Mutex<[DionysusError.Code]>([])
            let layer = Layer(onBatch: { _, next in
                do {
                    try await next()
                } catch let error as DionysusError {
                    seen.withLock { $0.append(error.code) }
                }
            })
            // The names are unique.
            try await replica.publish(.rental(.created, 1, name: "same"), .rental(.created, 2, name: "same"))
            try await replica.consume(Self.listener(layer))
            #expect(try await replica.rows(Self.names) == ["1"])
            #expect(try await replica.failedOffsets == ["1"])
            #expect(seen.withLock { Set($0) } == [.constraint])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a middleware that does not go on stops the consumer, and nothing is lost`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "first"))
            let error = await #expect(throws: DionysusError.self) {
                try await replica.consume(Self.listener(Layer(onBatch: { _, _ in })))
            }
            #expect(error?.code == .declaration)
            #expect(error?.message == "a middleware of v3_rentals has ended without calling for the work")
            try await replica.consume(Self.listener())
            #expect(try await replica.rows(Self.names) == ["1"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a batch is worked on once, however often a middleware goes on`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let errors = ToldErrors()
            var listener = Self.listener(
                Layer(onBatch: { _, next in
                    try await next()
                    try await next()
                })
            )
            listener.topics[0] = listener.topics[0].handling(Journal.handler)
            try await replica.publish(.rental(.created, 1, name: "first"))
            try await replica.consume(listener, tellingErrorsTo: errors)
            #expect(try await replica.journal == ["rental_created 1"])
            #expect(errors.all.isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error that goes away by itself is waited for`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let failures = Mutex(0)
            let fail = { @Sendable () throws in
                let count = failures.withLock { failures in
                    failures += 1
                    return failures
                }
                if count % 2 == 1 { throw DionysusError(.application, "the keys can't be had", isRetriable: true) }
            }
            let layer = Layer(
                onMessage: { message in
                    try fail()
                    return message
                },
                onBatch: { _, next in
                    try fail()
                    try await next()
                }
            )
            try await replica.publish(.rental(.created, 1, name: "first"))
            try await replica.consume(Self.listener(layer))
            #expect(try await replica.rows(Self.names) == ["1"])
            #expect(try await replica.failedOffsets == [])
            #expect(failures.withLock { $0 } == 4)
        }
    }
}
