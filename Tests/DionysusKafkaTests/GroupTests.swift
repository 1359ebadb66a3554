import Dionysus
import DionysusKafka
import Synchronization
import Testing

@Suite("Groups on Kafka")
struct GroupTests {
    @Test(arguments: ["cooperative-sticky", "range"])
    func `two members share the partitions, and no message is lost when one leaves`(strategy: String) async throws {
        try await Fixture.run { fixture in
            let settings = ["partition.assignment.strategy": strategy]
            let producer = try await fixture.producer()
            _ = await producer.send((0..<100).map { .numbered($0) })
            let first = try await fixture.member(settings: settings)
            var seen = Set(try await first.read(100).compactMap(\.text))
            let second = try await fixture.member(from: .latest, settings: settings)
            // Both keep answering until the second one owns something.
            let joined = Task { try await second.join() }
            let leaving = Task {
                try await first.first { event in
                    if case .revoked(let partitions) = event { partitions } else { nil }
                }
            }
            let revoked = try await leaving.value
            try await first.consumer.release(revoked)
            let answering = Task {
                try await first.first { event in
                    if case .messages(let messages) = event, messages.contains(where: { $0.text == "value 1000" }) {
                        true
                    } else {
                        nil
                    }
                }
            }
            let shared = try await joined.value
            #expect(!shared.isEmpty && shared.count < 4)
            await second.consumer.close()
            answering.cancel()
            _ = try? await answering.value
            _ = await producer.send((100..<200).map { .numbered($0) })
            let survivor = Member(consumer: first.consumer, position: .earliest)
            while seen.count < 200 {
                seen.formUnion(try await survivor.read(1).compactMap(\.text))
            }
            #expect(seen == Set((0..<200).map { "value \($0)" }))
        }
    }

    @Test func `members recover from a temporarily unknown topic, and can leave`() async throws {
        try await Fixture.run { fixture in
            try fixture.cluster.createTopic("a")
            try fixture.cluster.createTopic("b")
            let members = try await [fixture.member(topics: ["a", "b"]), fixture.member(topics: ["a", "b"])]
            let ledger = Ledger()
            let reading = members.map { member in
                Task {
                    while let event = try await member.consumer.next(maxMessages: 100, timeout: .seconds(60)) {
                        try await member.answer(event)
                        ledger.note(event)
                    }
                }
            }
            let unknownTopic: Int32 = 3
            try await ledger.wait { $0.values.count { $0 > 0 } == 8 }
            fixture.cluster.setError(unknownTopic, of: "b")
            try await ledger.wait { $0.filter { $0.key.topic == "b" }.values.allSatisfy { $0 == 0 } }
            fixture.cluster.setError(0, of: "b")
            try await ledger.wait { $0.values.count { $0 > 0 } == 8 }
            let producer = try await fixture.producer()
            for result in await producer.send((0..<100).map { .numbered($0, topic: "b") }) { _ = try result.get() }
            try await ledger.wait(untilRead: 100)
            for member in members { await member.consumer.close() }
            for task in reading { _ = try? await task.value }
        }
    }

    @Test func `a slow user keeps its partitions beyond the maximum poll interval`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<10).map { .numbered($0, partition: 0) })
            let member = try await fixture.member(
                settings: ["max.poll.interval.ms": "6000", "session.timeout.ms": "6000"]
            )
            _ = try await member.join()
            #expect(try await member.read(10).count == 10)
            // The user is busy for longer than the interval: forming a second group twice takes that long.
            for group in ["b", "c", "d"] {
                let other = try await fixture.member(group: group)
                _ = try await other.join()
                await other.consumer.close()
            }
            _ = await producer.send([.numbered(10, partition: 0)])
            let event = try await member.consumer.next(maxMessages: 10, timeout: .seconds(30))
            guard case .messages(let messages) = event else {
                Issue.record("the member was told \(String(describing: event))")
                return
            }
            #expect(messages.map(\.offset) == [10])
        }
    }

    @Test func `a member can leave its group even with an outstanding answer`() async throws {
        try await Fixture.run { fixture in
            fixture.cluster.setError(0, of: "t")
            let unanswered = try await fixture.member()
            _ = try await unanswered.first { event in
                if case .assigned(let partitions) = event { partitions } else { nil }
            }
            await unanswered.consumer.close()
            let next = try await fixture.member()
            #expect(try await next.join().count == 4)
            await next.consumer.close()
        }
    }

    @Test func `commits don't throw, even for another member's partitions`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send((0..<10).map { .numbered($0, partition: 0) })
            let member = try await fixture.member()
            _ = try await member.join()
            try await member.consumer.commit([TopicPartition("t", 0): 10, TopicPartition("elsewhere", 3): 5])
            try await member.consumer.commit([:])
            #expect(try await member.read(10).count == 10)
        }
    }

    @Test func `a closed consumer throws`() async throws {
        try await Fixture.run { fixture in
            let consumer = try await fixture.member().consumer
            let waiting = Task { try await consumer.next(maxMessages: 1, timeout: .seconds(3600)) }
            await consumer.close()
            await consumer.close()
            await #expect { _ = try await waiting.value } throws: { ($0 as? DionysusError)?.code == .closed }
            await #expect { try await consumer.pause([]) } throws: { ($0 as? DionysusError)?.code == .closed }
        }
    }
}

/// The number of members that believe they own each partition.
private final class Ledger: Sendable {
    private let owners = Mutex<[TopicPartition: Int]>([:])
    private let messages = Atomic<Int>(0)
    private let changes = AsyncStream<Void>.makeStream()

    func note(_ event: ConsumerEvent) {
        owners.withLock { owners in
            switch event {
            case .assigned(let partitions): for partition in partitions { owners[partition, default: 0] += 1 }
            case .revoked(let partitions), .lost(let partitions):
                for partition in partitions { owners[partition, default: 0] -= 1 }
            case .messages(let batch): messages.add(batch.count, ordering: .relaxed)
            case .reached, .outOfRange: return
            }
        }
        changes.continuation.yield()
    }

    func wait(untilRead count: Int) async throws {
        var iterator = changes.stream.makeAsyncIterator()
        while messages.load(ordering: .relaxed) < count { await iterator.next() }
    }

    func wait(until isReached: ([TopicPartition: Int]) -> Bool) async throws {
        var iterator = changes.stream.makeAsyncIterator()
        while !owners.withLock({ isReached($0) }) { await iterator.next() }
    }
}
