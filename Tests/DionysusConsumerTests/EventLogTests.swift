import Dionysus
import DionysusConsumer
import TestSupport
import Testing

@Suite struct EventLogTests {
    private static let topic = ConsumerTopic("rentals").eventLog().handling(Journal.handler)
    private static let villa = #"{"id":1,"name":"by the sea"}"#

    private static func villa(_ payload: String = villa, partition: Int32 = 0) -> WireMessage {
        .event("villa_updated", "Villa", payload, partition: partition)
    }

    private func events(
        _ replica: ReplicaHarness,
        _ topic: ConsumerTopic = topic,
        settings: ConsumerSettings = .forTests
    ) async throws -> ConsumerEvents {
        try await ConsumerEvents(Listener(topics: [topic]), database: replica.database, settings: settings)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `every handled event is stored, with what it is about`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            try await replica.publish(
                .rental(.created, 5, name: "first", updatedAt: "2026-01-01T00:00:00Z", partition: 2, version: 7),
                .rental(.updated, 5, name: "second", partition: 2),
                .rental(.updated, 5, name: "third", partition: 2)
            )
            try await replica.consume(Listener(topics: [Self.topic]))
            let rows = try await replica.rows(
                """
                SELECT "group", topic, "partition", "offset", event_number, model, entity_id, event_time, event_type,
                  event_version, attempts
                FROM dionysus_events ORDER BY id
                """
            )
            let place = "dionysus_consumer_group_for_test v3_rentals 2"
            let time = Timestamp("2026-01-01T00:00:00Z")?.iso8601(fractionDigits: 3) ?? ""
            #expect(
                rows == [
                    "\(place) 0 0 Rental 5 \(time) rental_created 7 1", "\(place) 1 0 Rental 5 - rental_updated - 1",
                    "\(place) 2 0 Rental 5 - rental_updated - 1",
                ]
            )
            let first = try #require(try await events(replica).list().first)
            #expect(first.key == Array("Rental:5".utf8))
            #expect(first.payload.hasPrefix(#"{"event":"rental_created","model_name":"Rental","data":[{"id":5,"#))
            #expect(first.checksum.count == 64)
            #expect(first.headers.map(\.name) == [HeaderName.version])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event that is delivered again is neither handled nor applied again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let listener = Listener(topics: [Self.topic])
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(listener)
            try await replica.write("UPDATE rentals SET name = 'changed here' WHERE synced_id = 2")
            try await replica.rewind()
            try await replica.publish(.rental(.created, 4, name: "rental 4"))
            try await replica.consume(listener)
            #expect(try await replica.journal == (1...4).map { "rental_created \($0)" })
            #expect(
                try await replica.rows("SELECT name FROM rentals ORDER BY synced_id")
                    == ["rental 1", "changed here", "rental 3", "rental 4"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `without handlers the log keeps replicated events from being applied again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let listener = Listener(topics: [ConsumerTopic("rentals").eventLog()])
            try await replica.publish(.rental(.created, 1, name: "first"), Self.villa())
            try await replica.consume(listener)
            try await replica.write("UPDATE rentals SET name = 'changed here'")
            try await replica.rewind()
            try await replica.consume(listener)
            #expect(try await replica.rows("SELECT name FROM rentals") == ["changed here"])
            // The model without a replica is nobody's business.
            #expect(try await replica.loggedPlaces == ["0 0 0"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the events of one message are kept apart`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let listener = Listener(topics: [Self.topic])
            let value = """
                {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":1},{"id":2}]},\
                {"event":"rental_updated","model_name":"Rental","data":[{"id":1}]}]}
                """
            try await replica.publish(WireMessage("v3_rentals", value: value))
            try await replica.consume(listener)
            #expect(try await replica.loggedPlaces == ["0 0 0", "0 0 1", "0 0 2"])
            try await replica.write("DELETE FROM dionysus_events WHERE event_number = 1")
            try await replica.rewind()
            try await replica.consume(listener)
            #expect(
                try await replica.journal
                    == ["rental_created 1", "rental_created 2", "rental_updated 1", "rental_created 2"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `by checksum the same content is handled once, wherever it comes from, by each group`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals").eventLog(identity: .checksum).handling(Journal.handler)
            let listener = Listener(topics: [topic])
            let other = Self.villa(#"{"id":2,"name":"by the sea"}"#)
            try await replica.publish([Self.villa(), Self.villa(), other] + (1..<4).map { Self.villa(partition: $0) })
            try await replica.consume(listener)
            try await replica.publish(Self.villa(partition: 1))
            try await replica.consume(listener)
            #expect(try await replica.journal.sorted() == ["villa_updated 1", "villa_updated 2"])

            var settings = ConsumerSettings.forTests
            settings.groupID = "another"
            try await replica.consume(listener, settings: settings)
            #expect(try await replica.journal.sorted() == [1, 1, 2, 2].map { "villa_updated \($0)" })
            #expect(try await events(replica, topic, settings: settings).list().count == 2)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func
        `a value that goes from A to B and back to A is applied by position, and by checksum only if it tells the time`(
            _ kind: TestDatabaseKind
        ) async throws
    {
        for identity in EventIdentity.allCases {
            for times in [["", "", ""], ["1", "2", "3"]] {
                try await ReplicaHarness.run(kind) { replica in
                    let topic = ConsumerTopic("rentals").eventLog(identity: identity).batchTransformation(nil)
                    for (name, time) in zip(["A", "B", "A"], times) {
                        let updatedAt = time.isEmpty ? nil : "2026-01-0\(time)T00:00:00Z"
                        try await replica.publish(.rental(.updated, 1, name: name, updatedAt: updatedAt))
                        try await replica.consume(Listener(topics: [topic]))
                    }
                    let isTrapped = identity == .checksum && times[0].isEmpty
                    #expect(try await replica.rows("SELECT name FROM rentals") == [isTrapped ? "B" : "A"])
                }
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the log shows an event as its handlers have acknowledged it`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let time = try #require(Timestamp("2026-02-01T00:00:00Z"))
            let topic = ConsumerTopic("rentals").eventLog()
                .handling { event, _ in
                    event.entityID == "1"
                        ? .acknowledged(entityID: "R-1", time: time, type: "rental_opened", version: 9) : .acknowledged
                }
                .handling { event, _ in event.entityID == "2" ? .acknowledged(entityID: "R-2") : .skipped }
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)", version: 1) })
            try await replica.consume(Listener(topics: [topic]))
            let logged = try await events(replica, topic).list()
            #expect(logged.map(\.entityID) == ["R-1", "R-2", "3"])
            #expect(logged.map(\.type) == ["rental_opened", "rental_created", "rental_created"])
            #expect(logged.map(\.version) == [9, 1, 1])
            #expect(logged.map(\.time) == [time, nil, nil])
            let found = try await events(replica, topic).list(EventLogFilter(entityID: "R-2"))
            #expect(found.map(\.id) == [logged[1].id])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event that every handler skips is stored only if it is replicated`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let topic = ConsumerTopic("rentals").eventLog().handling { _, _ in .skipped }
                .handling { event, _ in event.entityID == "3" ? .acknowledged : .skipped }
            try await replica.publish(
                Self.villa(),
                .rental(.created, 2, name: "second"),
                Self.villa(#"{"id":3}"#),
                Self.villa(#"{"id":4}"#)
            )
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.loggedPlaces == ["0 1 0", "0 2 0"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message that fails leaves nothing in the log`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let broken = Self.topic.handling { event, _ in
                if event.entityID == "2" { throw DionysusError(.application, "broken") }
                return .acknowledged
            }
            try await replica.publish(
                .rental(.created, 1, name: "first"),
                .rental(.created, 2, name: "second"),
                .event("rental_created", "Rental", #"{"id":3,"price":"a lot"}"#)
            )
            try await replica.consume(Listener(topics: [broken]))
            #expect(try await replica.loggedPlaces == ["0 0 0"])
            try await replica.rewind()
            try await replica.consume(Listener(topics: [Self.topic]))
            #expect(try await replica.loggedPlaces == ["0 0 0", "0 1 0"])
            #expect(try await replica.journal == ["rental_created 1", "rental_created 2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `events that were handled long ago are removed, and only those of the group`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let listener = Listener(topics: [ConsumerTopic("rentals").eventLog()])
            try await replica.publish(.rental(.created, 1, name: "first"))
            try await replica.consume(listener)
            let old = try #require(Timestamp("2026-01-01T00:00:00Z"))
            // More than are removed in one transaction.
            try await replica.write(
                """
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2300)
                INSERT INTO dionysus_events ("group", topic, "partition", "offset", event_number, headers, model,
                  event_type, checksum, identity, payload, written_at, attempts, created_at, handled_at)
                SELECT CASE WHEN i > 2200 THEN 'another' ELSE "group" END, topic, "partition", "offset", i, headers, model,
                  event_type, checksum, identity || i, payload, written_at, attempts, \(old), handled_at
                FROM dionysus_events, n
                """
            )
            var settings = ConsumerSettings.forTests
            settings.eventRetention = .seconds(86_400)
            settings.batchSize = 1
            try await replica.publish((2...9).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(listener, settings: settings)
            #expect(
                try await replica.rows("SELECT \"group\", count(*) FROM dionysus_events GROUP BY \"group\" ORDER BY 1")
                    == ["another 100", "dionysus_consumer_group_for_test 9"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `events can be handled once more, in the order of their places, by the same stages`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals").eventLog()
                .handling { event, transaction in
                    let source = event.message.source
                    let place = "\(source.partition) \(event.message.offset) \(event.number)"
                    let key = String(decoding: event.message.key ?? [], as: UTF8.self)
                    try Journal.note("\(place) \(key) \(event.name) \(event.version ?? 0)", in: &transaction)
                    return .acknowledged(version: 100)
                }
            let value = """
                {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":1},{"id":2,"name":"second"}]}]}
                """
            try await replica.publish(
                WireMessage("v3_rentals", key: "Rental:1", value: value, version: 3),
                .rental(.updated, 2, name: "newer", version: 4)
            )
            try await replica.consume(Listener(topics: [topic]))
            let first = try await replica.journal
            #expect(
                first == [
                    "0 0 0 Rental:1 rental_created 3", "0 0 1 Rental:1 rental_created 3",
                    "0 1 0 Rental:2 rental_updated 4",
                ]
            )

            let log = try await events(replica, topic)
            let ids = try await log.list().map(\.id)
            try await replica.write("DELETE FROM journal")
            try await replica.write("UPDATE rentals SET name = 'lost' WHERE synced_id = 1")
            let outcomes = try await log.retry(ids.reversed() + [999_999])
            #expect(outcomes.map(\.id) == ids.reversed() + [999_999])
            #expect(outcomes.map { "\($0.outcome)" } == ["done", "done", "done", "notFound"])
            #expect(try await replica.journal == first)
            // The older event of the second rental has no say any more.
            #expect(try await replica.rows("SELECT name FROM rentals ORDER BY synced_id") == ["lost", "newer"])
            #expect(try await log.list().map(\.attempts) == [2, 2, 2])
            #expect(try await log.list().map(\.version) == [100, 100, 100])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `handled once more, a lost record comes back`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            try await replica.publish(.rental(.created, 1, name: "first", version: 3))
            try await replica.consume(Listener(topics: [Self.topic]))
            try await replica.write("DELETE FROM rentals")
            let log = try await events(replica)
            try await log.retry(try await log.list().map(\.id))
            #expect(try await replica.rows("SELECT synced_id, name, synced_version FROM rentals") == ["1 first 3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `one that fails once more changes nothing, and the others are handled; one that is filtered now is skipped`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(Listener(topics: [Self.topic]))
            try await replica.write("DELETE FROM journal")
            let changed = Self.topic
                .handling { event, _ in
                    if event.entityID == "2" { throw DionysusError(.application, "it is broken") }
                    return .acknowledged
                }
                .accepting { $0.entityID != "3" }
            let log = try await events(replica, changed)
            let outcomes = try await log.retry(try await log.list().map(\.id)).map(\.outcome)
            guard case .done = outcomes[0], case .failed(let error) = outcomes[1], case .skipped = outcomes[2] else {
                Issue.record("\(outcomes)")
                return
            }
            #expect(error.message.contains("it is broken"))
            #expect(try await replica.journal == ["rental_created 1"])
            #expect(try await log.list().map(\.attempts) == [2, 1, 1])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the log can be read page by page and by what events are about`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            try await replica.publish(
                .rental(.created, 1, name: "a"),
                .rental(.created, 2, name: "b"),
                .rental(.destroyed, 1),
                Self.villa()
            )
            try await replica.consume(Listener(topics: [Self.topic]))
            let log = try await events(replica)
            let page = try await log.list(EventLogFilter(limit: 3))
            #expect(page.count == 3)
            #expect(try await log.list(EventLogFilter(afterID: page[2].id)).map(\.model) == ["Villa"])
            #expect(try await log.list(EventLogFilter(modelName: "Rental", entityID: "1")).count == 2)
            #expect(try await log.list(EventLogFilter(type: "rental_destroyed")).map(\.offset) == [2])
            #expect(try await log.list(EventLogFilter(topic: "v3_bookings")).isEmpty)
            #expect(try await log.event(page[0].id) == page[0])
            #expect(try await log.event(-1) == nil)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what no column of the log could hold is stored all the same, and can be handled once more`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let topic = ConsumerTopic("rentals").eventLog().handling { _, _ in .acknowledged }
            let long = String(repeating: "é", count: 20_000)
            let payload = #"{"id":"\u0000\#(long)","text":"a\u0000b","number":1e400,"links":{}}"#
            var message = WireMessage.event(#"vi\u0000lla_created"#, #"Vi\u0000lla"#, payload)
            message.topic = "v3_rentals"
            message.key = nil
            try await replica.publish(message)
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.failedOffsets == [])
            let log = try await events(replica, topic)
            let event = try #require(try await log.list().first)
            #expect(event.payload.contains(#""text":"a\u0000b","number":1e400"#))
            let outcome = try await log.retry([event.id]).map { "\($0.outcome)" }
            #expect(outcome == ["done"])
        }
    }
}
