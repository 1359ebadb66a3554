import Dionysus
import DionysusProducer
import DionysusSchemas
import Foundation
import Synchronization
import TestSupport
import Testing

/// Messages that are no model's, sent without the outbox, or not at all.
@Suite
struct DirectMessageTests {
    struct Notices: Producer {
        var isCompacted = false

        var namespaces: [Namespace] {
            Namespace("feed") {
                isCompacted ? Topic(messages: "notices").compactedWhileWaiting() : Topic(messages: "notices")
                Topic(messages: "other")
            }
        }
    }

    /// Publishers of both topics.
    private struct Trial: Sendable {
        let trial: FeedTrial
        let registry: Registry

        func direct(_ broker: (any MessageBroker)? = nil, errors: Collected<ErrorContext> = Collected()) async throws
            -> DirectMessagePublisher
        {
            var instrumentation = Instrumentation()
            instrumentation.errorHandler = errors
            return try await DirectMessagePublisher(
                registry,
                topic: "feed_notices",
                broker: broker ?? trial.broker,
                settings: trial.producer,
                instrumentation: instrumentation
            )
        }

        func stored(_ topic: String = "feed_notices") async throws -> MessagePublisher {
            try await MessagePublisher(registry, topic: topic, database: trial.source, settings: trial.producer)
        }

        func relay(_ broker: (any MessageBroker)? = nil) async throws {
            try await RelayService(
                registry,
                database: trial.source,
                broker: broker ?? trial.broker,
                settings: trial.producer,
                mode: .untilEmpty,
                logger: FeedTrial.logger
            )
            .run()
        }

        func texts(_ topic: String = "feed_notices") async throws -> [String] {
            try await trial.messages(in: topic).map { String(decoding: $0.value ?? [], as: UTF8.self) }
        }
    }

    private static func run(
        _ kind: TestDatabaseKind = .sqlite,
        _ notices: Notices = Notices(),
        _ body: (Trial) async throws -> Void
    ) async throws {
        try await FeedTrial.run(kind, .envelope) { trial in
            let registry = Registry(notices, settings: trial.producer)
            try await OutboxSchema(database: trial.source, registry: registry).migrate(lanes: trial.producer.lanes)
            try await body(Trial(trial: trial, registry: registry))
        }
    }

    @Test("a message that is published directly has arrived, or its error is the caller's")
    func direct() async throws {
        try await Self.run { trial in
            let publisher = try await trial.direct()
            try await publisher.publish(
                PlainMessage(["n": 1], key: "a", headers: [MessageHeader("from", Array("me".utf8))])
            )
            let message = try #require(try await trial.trial.messages(in: "feed_notices").first)
            #expect(message.key == Array("a".utf8) && message.value == Array(#"{"n":1}"#.utf8))
            #expect(message.headers.contains(MessageHeader("from", Array("me".utf8))))
            await publisher.close()
            let refused = try await trial.direct(RefusingBroker.rejecting("b", trial.trial.broker))
            let error = await #expect(throws: DionysusError.self) {
                try await refused.publish(contentsOf: [
                    PlainMessage(["n": 2], key: "b"), PlainMessage(["n": 3], key: "c"),
                ])
            }
            #expect(error?.code == .messageRejected)
            // Those beside it have been sent.
            #expect(try await trial.texts().sorted() == [#"{"n":1}"#, #"{"n":3}"#])
            await refused.close()
        }
    }

    @Test("messages are sent in the background in their order, all of them before the publisher is closed")
    func background() async throws {
        try await Self.run { trial in
            let errors = Collected<ErrorContext>()
            let publisher = try await trial.direct(RefusingBroker.rejecting("bad", trial.trial.broker), errors: errors)
            for number in 0..<1_200 {
                try publisher.publishInBackground(PlainMessage(["n": .integer(Int64(number))], key: "same"))
            }
            try publisher.publishInBackground(PlainMessage([:], key: "bad"))
            await publisher.close()
            let numbers = try await trial.trial.messages(in: "feed_notices")
                .map { try JSON(parsing: $0.value ?? [])["n"] }
            #expect(numbers == (0..<1_200).map { .integer(Int64($0)) })
            #expect(errors.all.map(\.topic) == ["feed_notices"])
            #expect(throws: DionysusError.self) { try publisher.publishInBackground(PlainMessage([:])) }
        }
    }

    @Test("a publisher whose broker hangs takes a limited number of messages")
    func backgroundLimit() async throws {
        try await Self.run { trial in
            let (open, opening) = AsyncStream.makeStream(of: Void.self)
            let hanging = RefusingBroker(base: trial.trial.broker, refusal: { _ in nil }) {
                for await _ in open { break }
            }
            let publisher = try await trial.direct(hanging)
            let error = #expect(throws: DionysusError.self) {
                for _ in 0..<30_000 { try publisher.publishInBackground(PlainMessage(["n": 1])) }
            }
            #expect(error?.code == .conflict)
            opening.finish()
            await publisher.close()
            #expect(try await trial.texts().count >= 10_000)
        }
    }

    @Test(
        "publishing is disabled for a task and its children, for all or some topics",
        arguments: TestDatabaseKind.available
    )
    func disabled(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            let (stored, other, direct) = (
                try await trial.stored(), try await trial.stored("feed_other"), try await trial.direct()
            )
            struct Stopped: Error {}
            await #expect(throws: Stopped.self) {
                try await withoutPublishing {
                    try await stored.publish(PlainMessage(["n": 1]))
                    try await direct.publish(PlainMessage(["n": 2]))
                    try direct.publishInBackground(PlainMessage(["n": 3]))
                    throw Stopped()
                }
            }
            try await withoutPublishing(to: "feed_notices") {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await trial.trial.source.transaction(.write) { transaction in
                            try stored.publish(PlainMessage(["n": 4]), in: &transaction)
                            try other.publish(PlainMessage(["n": 5]), in: &transaction)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await stored.publish(PlainMessage(["n": 6]))
            await direct.close()
            try await trial.relay()
            #expect(try await trial.texts() == [#"{"n":6}"#])
            #expect(try await trial.texts("feed_other") == [#"{"n":5}"#])
        }
    }

    @Test(
        "of messages that wait together, a compacted topic gets the last of each key",
        arguments: TestDatabaseKind.available
    )
    func compaction(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, Notices(isCompacted: true)) { trial in
            let publisher = try await trial.stored()
            let messages = (0..<20).map { PlainMessage(["n": .integer(Int64($0))], key: .string("k\($0 % 3)")) }
            try await publisher.publish(contentsOf: messages + [PlainMessage(["n": 100]), PlainMessage(["n": 101])])
            // The last one of a key can be refused: then the one before it is still there.
            let lost = Countdown(1)
            let flaky = RefusingBroker(base: trial.trial.broker) { message in
                guard message.value == Array(#"{"n":19}"#.utf8), lost.next() else { return nil }
                return DionysusError(.brokerUnavailable, "away", isRetriable: true)
            }
            try await trial.relay(flaky)
            let sent = try await trial.texts()
            #expect(
                Set(sent) == [#"{"n":17}"#, #"{"n":18}"#, #"{"n":19}"#, #"{"n":100}"#, #"{"n":101}"#] && sent.count == 5
            )
            #expect(try await trial.trial.lines(trial.trial.source, "SELECT count(*) FROM dionysus_messages") == ["0"])
        }
    }

    private static func number(_ value: [UInt8]?) -> Int64? {
        guard case .integer(let number)? = try? JSON(parsing: value ?? [])["n"] else { return nil }
        return number
    }

    @Test(
        "four relays and a broker that fails keep the order of each key, and a message that is too large is refused alone",
        arguments: TestDatabaseKind.available
    )
    func order(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind) { trial in
            let publisher = try await trial.stored()
            for start in stride(from: 0, to: 400, by: 20) {
                try await publisher.publish(
                    contentsOf: (start..<start + 20)
                        .map { number in
                            PlainMessage(["n": .integer(Int64(number))], key: .string("k\(number % 7)"))
                        }
                )
            }
            let large = PlainMessage(["text": .string(String(repeating: "x", count: 10 << 20))], key: "large")
            try await publisher.publish(contentsOf: [large, PlainMessage(["n": 400], key: .string("k\(400 % 7)"))])
            let failures = Countdown(60)
            let away = DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true)
            // As a broker does for an idempotent producer, it takes no message before those that precede it.
            let expected = Mutex<[[UInt8]: Int64]>([:])
            let broker = RefusingBroker(base: trial.trial.broker) { message in
                if (message.value?.count ?? 0) > 1_000_000 { return DionysusError(.messageRejected, "it is too large") }
                guard let key = message.key, let number = Self.number(message.value) else { return nil }
                if failures.next() { return away }
                return expected.withLock { expected in
                    guard number <= expected[key] ?? number % 7 else { return away }
                    expected[key] = max(expected[key] ?? 0, number + 7)
                    return nil
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await trial.relay(broker) } }
                try await group.waitForAll()
            }
            let messages = try await trial.trial.messages(in: "feed_notices")
            for (_, messages) in Dictionary(grouping: messages, by: \.key) {
                let numbers = messages.compactMap { Self.number($0.value) }
                var firsts: [Int64] = []
                // A message may come again after a failure, but none before an earlier one has been there.
                for number in numbers where !firsts.contains(number) { firsts.append(number) }
                #expect(firsts == firsts.sorted())
            }
            let numbers = Set(try messages.map { try JSON(parsing: $0.value ?? [])["n"] })
            #expect(numbers.count == 401)
            let failed = try await trial.trial.outbox().filter { $0.state != "published" }
            #expect(failed.count == 1 && failed.allSatisfy { $0.error.contains("too large") })
        }
    }
}
