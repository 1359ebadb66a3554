import Dionysus
import FakeKafka
import Logging
import TestSupport
import Testing

@testable import DionysusKafka

/// Problems that prevent a member from reading although the broker is reachable.
@Suite("What a member of a group learns", .timeLimit(.minutes(10)))
struct StandingTests {
    private func wait(_ consumer: any MessageConsumer, until isSo: (DionysusError?) -> Bool) async throws {
        while !isSo(consumer.outage) { _ = try await consumer.next(maxMessages: 10, timeout: .milliseconds(100)) }
    }

    @Test func `members with another assignment strategy are reported, with the remedy`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.groupProtocols = ["range", "roundrobin"]
            }
            let consumer = try await fixture.member().consumer
            try await wait(consumer) { $0 != nil }
            let outage = try #require(consumer.outage)
            #expect(outage.code == .configuration && !outage.isRetriable)
            #expect(outage.description.contains("INCONSISTENT_GROUP_PROTOCOL"))
            #expect(outage.description.contains("range,roundrobin"))
            // The other members have gone.
            fixture.kafka.change { $0.groupProtocols = [] }
            let member = Member(consumer: consumer, position: .earliest)
            #expect(try await member.join() == [TopicPartition("t", 0)])
            try await wait(consumer) { $0 == nil }
        }
    }

    @Test func `a member can share a group with Karafka's, if configured`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 2)
                script.append(.records([("k", "v")]), to: "t", 1)
                script.groupProtocols = ["range", "roundrobin"]
            }
            let member = try await fixture.member(settings: ["partition.assignment.strategy": "range,roundrobin"])
            #expect(try await member.read(1).map(\.text) == ["v"])
            #expect(fixture.kafka.change { $0.joins.first?.protocols } == ["range", "roundrobin"])
            #expect(member.consumer.outage == nil)
        }
    }

    @Test func `a static member sends its name`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { $0.createTopic("t", partitions: 1) }
            let member = try await fixture.member(settings: ["group.instance.id": "bookings-0"])
            _ = try await member.join()
            #expect(fixture.kafka.change { $0.joins.first?.instance } == "bookings-0")
        }
    }

    @Test func `a missing topic is reported, and read once it exists`() async throws {
        try await FakeFixture.run { fixture in
            let settings = ["topic.metadata.refresh.interval.ms": "500"]
            let member = try await fixture.member(topics: ["t"], settings: settings)
            try await wait(member.consumer) { $0 != nil }
            let outage = try #require(member.consumer.outage)
            #expect(outage.code == .unknownTopic && outage.isRetriable)
            #expect(outage.description.contains("no topic t") && outage.description.contains("topics --create"))
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records([("k", "v")]), to: "t", 0)
            }
            #expect(try await member.read(1).map(\.text) == ["v"])
            try await wait(member.consumer) { $0 == nil }
        }
    }

    @Test func `failing commits are one warning at the start and one line at the end`() {
        let lines = Collected<(level: Logger.Level, text: String)>()
        let log = CommitLog(logger: Logger(label: "test") { _ in CollectingLogHandler(lines: lines) })
        log.succeeded()
        for _ in 0..<2 {
            for number in 0..<20 { log.failed("Offset commit failed: \(number)") }
            for _ in 0..<20 { log.succeeded() }
        }
        let told = lines.all.filter { $0.level > .info }
        #expect(told.map(\.level) == [.warning, .notice, .warning, .notice], "\(told.map(\.text))")
        #expect(told.first?.text.contains("Offset commit failed: 0") == true)
    }

    @Test(arguments: [false, true])
    func `a coordinator that rejects commits is one warning while they fail, and one line when they succeed again`(
        _ isCut: Bool
    ) async throws {
        let lines = Collected<(level: Logger.Level, text: String)>()
        let logger = Logger(label: "test") { _ in CollectingLogHandler(lines: lines) }
        func told(_ words: String) -> Int { lines.all.count { $0.level > .info && $0.text.contains(words) } }
        try await FakeFixture.run(settings: ["reconnect.backoff.max.ms": "200"], logger: logger) { fixture in
            fixture.kafka.change { $0.createTopic("t", partitions: 4) }
            let member = try await fixture.member()
            let partitions = try await member.join()
            var offset: Int64 = 0
            func commit() async throws {
                offset += 1
                try await member.consumer.commit(Dictionary(uniqueKeysWithValues: partitions.map { ($0, offset) }))
            }
            func commitUntil(_ isSo: () -> Bool) async throws {
                while !isSo() {
                    try await commit()
                    _ = try await member.consumer.next(maxMessages: 10, timeout: .milliseconds(10))
                }
            }
            func committed() -> Int64 { fixture.kafka.change { $0.committed["t"]?[3] } ?? 0 }
            try await commitUntil { committed() > 0 }
            for round in 1...2 {
                // It closes the connection, or is no longer the coordinator.
                fixture.kafka.change { script in
                    if isCut { script.cutsAt = [.offsetCommit] } else { script.errors = [.offsetCommit: 16] }
                }
                let asked = fixture.kafka.count(.offsetCommit)
                try await commitUntil {
                    fixture.kafka.count(.offsetCommit) > asked + 20
                        && told("does not accept the group's offsets") == round
                }
                fixture.kafka.change { script in
                    script.cutsAt = []
                    script.errors = [:]
                }
                let last = offset
                try await commitUntil { committed() > last && told("accepts the group's offsets again") == round }
            }
            let ofCommits = lines.all.filter { $0.level > .info && $0.text.contains("the group's offsets") }
            #expect(ofCommits.map(\.level) == [.warning, .notice, .warning, .notice], "\(ofCommits.map(\.text))")
            let others = lines.all.filter { $0.level > .info && !$0.text.contains("the group's offsets") }
            #expect(isCut || others.isEmpty, "\(others.map(\.text))")
        }
    }

    @Test func `too few in-sync replicas are named`() async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.topicSettings["t"] = ["min.insync.replicas": "2"]
                (script.replicas, script.inSync) = (3, 1)
                script.errors[.produce] = 19
            }
            let producer = try await fixture.producer(timeout: .seconds(2))
            guard case .failure(let error)? = await producer.send([.numbered(0)]).first else {
                return #expect(Bool(false), "the message was taken")
            }
            #expect(error.code == .brokerUnavailable && error.isRetriable)
            #expect(error.description.contains("NOT_ENOUGH_REPLICAS"), "\(error)")
        }
    }

    @Test func `an idle producer notices the loss and the return of the broker`() async throws {
        try await FakeFixture.run(settings: ["reconnect.backoff.max.ms": "300"]) { fixture in
            fixture.kafka.change { $0.createTopic("t", partitions: 1) }
            let producer = try await fixture.producer()
            #expect(await producer.send([.numbered(0)]).map(\.code) == [nil])
            await fixture.kafka.stop()
            while !Task.isCancelled, producer.outage == nil { await Task.yield() }
            #expect(producer.outage?.code == .brokerUnavailable)
            try await fixture.kafka.start()
            while !Task.isCancelled, producer.outage != nil { await Task.yield() }
        }
    }
}
