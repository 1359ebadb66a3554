import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct FilterTests {
    private struct Broken: Error {}

    @Test(arguments: TestDatabaseKind.available)
    func `a filter sees topic, message and transformed data; what it leaves out has no effect and is reported`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals").handling(Journal.handler).eventLog()
                .accepting(otherwise: "the second one") { event in
                    event.topic == "v3_rentals" && event.message.key != Array("Rental:2".utf8)
                        && event.data["synced_id"] != nil && event.payload["id"] != nil
                }
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)", partition: 1) })
            let errors = ToldErrors()
            try await replica.consume(Listener(topics: [topic]), tellingErrorsTo: errors)

            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY 1") == ["1", "3"])
            #expect(try await replica.journal == ["rental_created 1", "rental_created 3"])
            #expect(try await replica.loggedPlaces == ["1 0 0", "1 2 0"])
            #expect(try await replica.failedOffsets == [])
            let told = try #require(errors.all.first)
            #expect(errors.all.count == 1)
            #expect((told.error as? DionysusError)?.code == .filtered)
            #expect((told.error as? DionysusError)?.message == "rental_created was left out: the second one")
            #expect(told.context.topic == "v3_rentals" && told.context.partition == 1 && told.context.offset == 1)
            #expect(told.context.record == "Rental:2")
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `filters of the consumer come before those of the topic, and one objection is enough`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let asked = Mutex<[String]>([])
            let filter = { @Sendable (name: String, objectsTo: String?) in
                MessageFilter(otherwise: name) { event in
                    asked.withLock { $0.append("\(name) \(event.entityID ?? "")") }
                    return event.entityID != objectsTo
                }
            }
            let listener = Listener(
                topics: [
                    ConsumerTopic("rentals").filtering(by: filter("topic", "2")).filtering(by: filter("last", nil))
                ],
                filters: [filter("consumer", "1")]
            )
            let errors = ToldErrors()
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(listener, tellingErrorsTo: errors)
            #expect(
                asked.withLock { $0 } == [
                    "consumer 1", "consumer 2", "topic 2", "consumer 3", "topic 3", "last 3",
                ]
            )
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == ["3"])
            let reasons = errors.all.compactMap { ($0.error as? DionysusError)?.message }
            #expect(reasons.map { $0.split(separator: " ").last } == ["consumer", "topic"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `one record of a message can be left out`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals").eventLog().handling(Journal.handler)
                .accepting { $0.data["synced_id"] != .integer(2) }
            let value = """
                {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":1},{"id":2},{"id":3}]}]}
                """
            try await replica.publish(WireMessage("v3_rentals", value: value))
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY 1") == ["1", "3"])
            #expect(try await replica.loggedPlaces == ["0 0 0", "0 0 2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a filter that throws fails its message only`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let topic = ConsumerTopic("rentals")
                .accepting { event in
                    if event.entityID == "2" { throw Broken() }
                    return event.entityID != "3"
                }
            let errors = ToldErrors()
            try await replica.publish((1...4).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(Listener(topics: [topic]), tellingErrorsTo: errors)
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY 1") == ["1", "4"])
            let failures = try await replica.rows("SELECT \"offset\", error_message FROM dionysus_failures")
            #expect(failures == ["1 v3_rentals[0] offset 1: a filter failed on rental_created with Broken"])
            // However often the batch was halved, what was left out is reported once.
            let filtered = errors.all.filter { ($0.error as? DionysusError)?.code == .filtered }
            #expect(filtered.map(\.context.offset) == [2])
        }
    }
}
