import Dionysus
import FakeKafka
import Testing

/// The markers that end transactions: they use offsets, but clients never receive them.
@Suite("Marks of transactions at a partition's end", .timeLimit(.minutes(10)))
struct ControlRecordTests {
    private static let partition = TopicPartition("t", 0)

    /// Reads until a gap is reported.
    private func readToEnd(_ member: Member) async throws -> (offsets: [Int64], end: Int64?) {
        var offsets: [Int64] = []
        let end = try await member.first { event -> [Int64]? in
            switch event {
            case .messages(let messages):
                offsets += messages.map(\.offset)
                return nil
            case .reached(let ends): return ends[Self.partition].map { [$0] }
            default: return nil
            }
        }
        return (offsets, end.first)
    }

    @Test(arguments: RecordBatch.Ending.allCases, ["cooperative-sticky", "range"])
    func `a member reads past them to the end, repeatedly`(
        _ ending: RecordBatch.Ending,
        _ strategy: String
    ) async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records([("a", "1"), ("b", "2")]), to: "t", 0)
                script.append(.records([("c", "3"), ("d", "4")], producer: 7), to: "t", 0)
                script.append(.end(ending, producer: 7), to: "t", 0)
            }
            let member = try await fixture.member(settings: ["partition.assignment.strategy": strategy])
            let first = try await readToEnd(member)
            #expect(first.offsets == (ending == .commit ? [0, 1, 2, 3] : [0, 1]))
            #expect(first.end == 5)
            // After the messages read so far, several at once.
            fixture.kafka.change { script in
                script.append(.records([("e", "5")], producer: 8), to: "t", 0)
                script.append(.end(.abort, producer: 8), to: "t", 0)
                script.append(.end(ending, producer: 9), to: "t", 0)
            }
            let second = try await readToEnd(member)
            #expect(second.offsets == [] && second.end == 8)
            fixture.kafka.change { script in
                script.append(.records([("f", "6")]), to: "t", 0)
                script.append(.end(ending, producer: 7), to: "t", 0)
            }
            let third = try await readToEnd(member)
            #expect(third.offsets == [8] && third.end == 10)
        }
    }

    @Test(arguments: [StartPosition.earliest, .offset(0)])
    func `a member reads to the end of a partition with only markers`(_ position: StartPosition) async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records([("a", "1")], producer: 7), to: "t", 0)
                script.append(.end(.abort, producer: 7), to: "t", 0)
            }
            let member = Member(consumer: try await fixture.member().consumer, position: position)
            let read = try await readToEnd(member)
            #expect(read.offsets == [] && read.end == 2)
        }
    }

    @Test(arguments: ["cooperative-sticky", "range"])
    func `a member reads to the end of a recreated topic with only markers`(
        _ strategy: String
    ) async throws {
        try await FakeFixture.run { fixture in
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records([("a", "1")]), to: "t", 0)
            }
            let settings = [
                "partition.assignment.strategy": strategy, "topic.metadata.refresh.interval.ms": "200",
            ]
            let member = try await fixture.member(settings: settings)
            #expect(try await member.read(1).map(\.offset) == [0])
            fixture.kafka.change { $0.deleteTopic("t") }
            let taken = try await member.first { event in
                switch event {
                case .revoked, .lost: event
                default: nil
                }
            }
            try await member.answer(taken)
            fixture.kafka.change { script in
                script.createTopic("t", partitions: 1)
                script.append(.records([("a", "1")], producer: 7), to: "t", 0)
                script.append(.end(.abort, producer: 7), to: "t", 0)
            }
            let read = try await readToEnd(member)
            #expect(read.offsets == [] && read.end == 2)
            _ = fixture.kafka.change { $0.append(.records([("b", "2")]), to: "t", 0) }
            #expect(try await member.read(1).map(\.offset) == [2])
        }
    }
}
