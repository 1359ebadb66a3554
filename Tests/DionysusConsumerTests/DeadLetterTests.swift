import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct DeadLetterTests {
    private static let mirror = Mirror.rentals { $0.deadLetterQueue("dead", maxRetries: 0) }
    private static let names: SQL = "SELECT synced_id, name FROM rentals WHERE synced_id < 1000000 ORDER BY synced_id"

    @Test(arguments: TestDatabaseKind.available)
    func `a replay applies a message as if it came from where it failed`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (events, continuation) = AsyncStream.makeStream(of: ConsumedEvent.self)
            var mirror = Self.mirror
            mirror.onConsume = { continuation.yield($0) }
            try await replica.take(name: "sea")
            var message = WireMessage.rental(.created, 1, name: "sea", partition: 3, version: 7).outgoing
            // A header of the application's own, which looks like one of those that are added.
            message.headers += [MessageHeader("error", Array("none".utf8)), MessageHeader("blob", [0xff, 0x00])]
            try await replica.publish(.rental(.created, 2, name: "other", partition: 3))
            try await replica.publish(raw: [message])
            try await replica.consume(mirror)
            #expect(try await replica.rows(Self.names) == ["2 other"])

            try await replica.release()
            let summary = try await replica.failures(mirror).replayDeadLetters(of: "dead")
            #expect(summary.applied == 1 && summary.recorded == 0 && summary.foreign == 0)
            #expect(try await replica.rows(Self.names) == ["1 sea", "2 other"])
            #expect(try await replica.rows("SELECT synced_version FROM rentals WHERE synced_id = 1") == ["7"])
            continuation.finish()
            let consumed = await events.reduce(into: []) { $0.append("\($1.source) \($1.offset)") }
            #expect(consumed == ["v3_rentals[3] 0", "v3_rentals[3] 1"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what fails again during a replay is recorded, and not sent to the topic once more`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "sea")
            let message = WireMessage.rental(.created, 1, name: "sea", version: 7)
            var raw = message.outgoing
            raw.headers += [MessageHeader("error", Array("none".utf8)), MessageHeader("blob", [0xff, 0x00])]
            try await replica.publish(raw: [raw])
            try await replica.consume(Self.mirror)
            let failures = replica.failures(Self.mirror)
            let first = try await failures.replayDeadLetters(of: "dead")
            #expect(first.applied == 0 && first.recorded == 1)
            #expect(try await readRaw("dead", from: replica.broker).count == 1)
            #expect(try await replica.recorded() == ["0 failed 2 constraint"])
            let id = try #require(try await failures.list().first).id
            let stored = try #require(try await failures.message(id))
            #expect(stored.headers == raw.headers && stored.source == TopicPartition("v3_rentals", 0))

            let second = try await failures.replayDeadLetters(of: "dead")
            #expect(second.applied == 0 && second.recorded == 0)
            try await replica.release()
            #expect(try await failures.retryAll().map(\.outcome) == [.applied])
            #expect(try await replica.rows(Self.names) == ["1 sea"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replay goes on where the last one ended, and applies each message once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: [0, 1, 2])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.deadLetterQueue("dead", maxRetries: 0).handling(diary.handler) }
            try await replica.publish((0..<3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(mirror)
            diary.mend()
            let failures = replica.failures(mirror)
            #expect(try await failures.replayDeadLetters(of: "dead").applied == 3)
            #expect(try await failures.replayDeadLetters(of: "dead").applied == 0)
            diary.refuse(3)
            try await replica.publish(.rental(.created, 3, name: "rental 3"))
            try await replica.consume(mirror)
            diary.mend()
            #expect(try await failures.replayDeadLetters(of: "dead").applied == 1)
            #expect(try await Diary.offsets(in: replica).sorted() == ["0", "1", "2", "3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `messages of other groups, of other topics and without origin are left out`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            func letter(_ id: Int, topic: String?, group: String?) -> OutgoingMessage {
                var message = WireMessage.rental(.created, id, name: "rental \(id)").outgoing
                message.topic = "dead"
                let headers = [
                    ("original-topic", topic), ("original-partition", "0"), ("original-offset", "\(id)"),
                    ("original-consumer-group", group),
                ]
                message.headers += headers.compactMap { name, value in
                    value.map { MessageHeader(name, Array($0.utf8)) }
                }
                return message
            }
            try await replica.publish(raw: [
                letter(1, topic: "v3_rentals", group: nil), letter(2, topic: "v3_rentals", group: "another"),
                letter(3, topic: "v9_ships", group: nil), letter(4, topic: nil, group: nil),
                letter(5, topic: "v3_rentals", group: "dionysus_consumer_group_for_test"),
            ])
            let summary = try await replica.failures(Self.mirror).replayDeadLetters(of: "dead")
            #expect(summary.applied == 2 && summary.foreign == 3 && summary.recorded == 0)
            #expect(try await replica.rows(Self.names) == ["1 rental 1", "5 rental 5"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a dead-letter topic that does not exist is one clear error`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let error = await #expect(throws: DionysusError.self) {
                try await replica.failures(Self.mirror).replayDeadLetters(of: "nowhere")
            }
            #expect(error?.code == .unknownTopic)
        }
    }
}
