import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

/// What dionysus-rb's consumers can be told, and what stands for it here.
@Suite struct RubyFeatureTests {
    private static func booking(fees: [Int]) -> WireMessage {
        let records = fees.map { #"{"id":\#($0),"name":"fee \#($0)","links":{"booking":1}}"# }
        return .event(
            "booking_created",
            "Booking",
            """
            {"id":1,"updated_at":"\(days[1])","links":{"bookings_fees":[\(fees.map(String.init).joined(separator: ","))],\
            "rental":2},"rental":{"id":2,"name":"Villa"},"bookings_fees":[\(records.joined(separator: ","))]}
            """
        )
    }

    @Test("softDeletes says for all replicas that destroyed records are kept", arguments: TestDatabaseKind.available)
    func softDeletes(_ kind: TestDatabaseKind) async throws {
        for (isKept, replica) in [
            (true, nil), (true, Persist("Rental", table: "rentals").element),
            (false, Persist("Rental", table: "rentals").deleting().element),
        ] {
            try await ReplicaHarness.run(kind) { harness in
                var settings = ConsumerSettings.forTests
                settings.softDeletes = true
                let mirror = Mirror(replicas: replica.map { [$0] } ?? [])
                try await harness.publish(
                    .rental(.created, 1, name: "a", updatedAt: days[1]),
                    .rental(.destroyed, 1, updatedAt: days[2])
                )
                // The other tables have no column for it.
                let declared = Declared([ConsumerTopic("rentals")], replicas: mirror.replicas)
                try await harness.consume(declared, settings: settings)
                #expect(try await harness.rows(rentalNames) == (isKept ? ["1 a canceled"] : []))
            }
        }
    }

    @Test("cancelling says for all replicas how destroyed records end", arguments: TestDatabaseKind.available)
    func cancelling(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { harness in
            var settings = ConsumerSettings.forTests
            settings.cancelling = { records, transaction in
                for id in records.ids {
                    let name = "\(records.model) has ended"
                    try transaction.run(
                        "UPDATE \(identifier: records.table) SET name = \(name) WHERE synced_id = \(id)"
                    )
                }
            }
            try await harness.publish(.rental(.created, 1, name: "a"), .rental(.destroyed, 1))
            try await harness.publish(
                .event("account_created", "Account", #"{"id":1,"name":"b"}"#),
                .event("account_destroyed", "Account", #"{"id":1}"#)
            )
            try await harness.consume(Mirror(replicas: []), settings: settings)
            #expect(try await harness.rows("SELECT name FROM rentals") == ["Rental has ended"])
            #expect(try await harness.rows("SELECT name FROM accounts") == ["Account has ended"])
        }
    }

    @Test("replica(for:) answers with declarations of every kind", arguments: TestDatabaseKind.available)
    func modelFactory(_ kind: TestDatabaseKind) async throws {
        let taken = Mutex<[String]>([])
        var consumer = Declared([ConsumerTopic("rentals", accepting: .any)])
        consumer.choose = { name in
            switch name {
            case "Villa": Persist("Villa", table: "rentals").renaming("label", to: "name").element
            case "Invoice":
                Persist("Invoice") { events, _ in taken.withLock { $0 += events.compactMap(\.entityID) } }.element
            case "Product": .ignored("Product")
            default: .conventional(name)
            }
        }
        try await ReplicaHarness.run(kind) { [consumer] harness in
            func event(_ model: String, _ payload: String) -> WireMessage {
                .event("\(Inflection.underscored(model))_created", model, payload)
            }
            try await harness.publish(
                event("Villa", #"{"id":1,"label":"a"}"#),
                event("Invoice", #"{"id":7}"#),
                event("Product", #"{"id":1}"#),
                WireMessage(
                    "v3_rentals",
                    value: #"{"message":[{"event":"account_created","model_name":"Account","data":[{"id":3}]}]}"#
                )
            )
            try await harness.consume(consumer)
            #expect(try await harness.rows(rentalNames) == ["1 a"])
            #expect(taken.withLock { $0 } == ["7"])
            #expect(try await harness.rows("SELECT synced_id FROM accounts") == ["3"])
        }
    }

    @Test("dionysus.consume has the message, the sideloaded records and the whole payload")
    func consumed() async throws {
        let seen = Mutex<[ConsumedEvent]>([])
        try await ReplicaHarness.run(.sqlite) { harness in
            var mirror = Mirror()
            mirror.onConsume = { event in seen.withLock { $0.append(event) } }
            try await harness.publish(Self.booking(fees: [7, 8]))
            try await harness.consume(mirror)
        }
        let event = try #require(seen.withLock { $0.first })
        #expect(event.message.key == Array("Booking:1".utf8))
        #expect(event.message.offset == event.offset)
        #expect(event.related.map(\.relationship) == ["bookings_fees", "rental"])
        #expect(event.related.first?.records.map { $0.data["synced_id"] } == [7, 8])
        #expect(event.data["bookings_fees"] == nil)
        let whole = event.wholeData
        #expect(whole["synced_rental_id"] == 2)
        #expect(whole["rental"]?["name"] == "Villa")
        guard case .array(let fees)? = whole["bookings_fees"] else {
            Issue.record("the fees are no list")
            return
        }
        #expect(fees.map { $0["synced_booking_id"] } == [1, 1])
    }

    @Test("a filter looks at all records of an event together", arguments: TestDatabaseKind.available)
    func filters(_ kind: TestDatabaseKind) async throws {
        let filter = MessageFilter(otherwise: "too many") { (event: IncomingRecords) in
            #expect(event.topic == "v3_rentals" && event.model == "Rental" && event.name.change == .created)
            #expect(event.message.value != nil)
            return event.records.count < 3
        }
        func rentals(_ ids: ClosedRange<Int>) -> WireMessage {
            .event(
                "rental_created",
                "Rental",
                ids.map { #"{"id":\#($0),"name":"\#($0)","links":{}}"# }.joined(separator: ",")
            )
        }
        try await expectReplica(
            kind,
            [rentals(1...2), rentals(3...5), rentals(6...6)],
            gives: ["1 1", "2 2", "6 6"],
            by: Mirror(rentals: ConsumerTopic("rentals", accepting: .any).filtering(by: filter))
        )
    }

    private static let kept = Persist("Rental", table: "rentals")
        .keepingPayloads { payloads, transaction in
            for payload in payloads {
                try transaction.run("DELETE FROM rental_payloads WHERE rental_id = \(payload.id)")
                guard let data = payload.data else { continue }
                let json = JSON.object(data).text
                try transaction.run("INSERT INTO rental_payloads (rental_id, data) VALUES (\(payload.id), \(json))")
            }
        } reading: { ids, transaction in
            var found: [DatabaseValue: JSON.Object] = [:]
            for id in ids {
                let row = try transaction.run("SELECT data FROM rental_payloads WHERE rental_id = \(id)").first
                guard let text = try row?.text(0), case .object(let data) = try JSON(parsing: text.utf8) else {
                    continue
                }
                found[id] = data
            }
            return found
        }

    @Test(
        "payloads are kept in a place of the application's, and a backfill reads them there",
        arguments: TestDatabaseKind.available
    )
    func payloads(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { harness in
            try await harness.run(
                "ALTER TABLE rentals DROP COLUMN synced_data",
                "CREATE TABLE rental_payloads (rental_id bigint PRIMARY KEY, data text NOT NULL)"
            )
            let mirror = Mirror(replicas: [Self.kept.element])
            func rental(_ id: Int, _ stars: Int, _ day: Int, _ change: EventName.Change = .created) -> WireMessage {
                .event(
                    "rental_\(change)",
                    "Rental",
                    #"{"id":\#(id),"name":"\#(id)","stars":\#(stars),"updated_at":"\#(days[day])","links":{}}"#
                )
            }
            try await harness.publish([rental(1, 3, 1), rental(2, 4, 1), rental(1, 5, 3, .updated), rental(1, 1, 2)])
            try await harness.publish(.rental(.created, 3, name: "c"))
            try await harness.consume(mirror)
            try await harness.publish(.rental(.destroyed, 3))
            try await harness.consume(mirror)
            #expect(try await harness.rows("SELECT rental_id FROM rental_payloads ORDER BY rental_id") == ["1", "2"])
            try await harness.run("ALTER TABLE rentals ADD COLUMN stars integer")
            let report = try await Backfill(mirror, database: harness.database, settings: .forTests)
                .run("Rental", columns: ["stars"])
            #expect(report.assigned == 2)
            #expect(
                try await harness.rows("SELECT synced_id, stars FROM rentals ORDER BY synced_id") == ["1 5", "2 4"]
            )
        }
    }

    @Test("a topic's transactions can exclude each other by the keys of their messages")
    func messageKeys() async throws {
        struct Provider: MutexProvider {
            let keys: @Sendable ([String]) -> Void
            func withLocks(_ keys: [String], _ work: () async throws -> Void) async throws {
                self.keys(keys)
                try await work()
            }
        }
        let seen = Mutex<[[String]]>([])
        let provider = Provider { keys in seen.withLock { $0.append(keys) } }
        try await ReplicaHarness.run(.sqlite) { harness in
            var other = WireMessage.rental(.created, 2, name: "b")
            other.key = "RecordsCollection:1"
            try await harness.publish(.rental(.created, 1, name: "a"), other)
            let topic = ConsumerTopic("rentals", accepting: .any).sharingMessageKeys(lockedBy: provider)
            try await harness.consume(Mirror(rentals: topic))
            #expect(try await harness.rows(rentalNames) == ["1 a", "2 b"])
        }
        #expect(seen.withLock { $0 } == [["RecordsCollection:1", "Rental:1"]])
    }

    /// Calls `next` until it has returned, and once more then.
    private struct Persistent: ConsumerMiddleware {
        let attempted: @Sendable (Bool) -> Void

        func handle(_ batch: MessageBatch, _ next: () async throws -> Void) async throws {
            for attempt in 1...3 {
                do {
                    try await next()
                    attempted(true)
                } catch  where attempt < 3 {
                    attempted(false)
                }
            }
        }
    }

    @Test("a middleware may call next again: after an error to try once more, and after that without any effect")
    func nextAgain() async throws {
        let attempts = Mutex<[Bool]>([])
        let handled = Mutex(0)
        try await ReplicaHarness.run(.sqlite) { harness in
            let topic = ConsumerTopic("rentals", accepting: .any)
                .handling { _, _ in
                    let count = handled.withLock { count in
                        count += 1
                        return count
                    }
                    if count == 1 { throw Refusal() }
                    return .acknowledged
                }
                .middleware(Persistent { success in attempts.withLock { $0.append(success) } })
            try await harness.publish(.rental(.created, 1, name: "a"))
            try await harness.consume(Mirror(rentals: topic))
            #expect(try await harness.rows(rentalNames) == ["1 a"])
            #expect(try await harness.failures == [])
        }
        #expect(attempts.withLock { $0 } == [false, true, true])
        #expect(handled.withLock { $0 } == 2)
    }

    @Test("a middleware that calls next again and fails to the end has its messages recorded")
    func nextInVain() async throws {
        let attempts = Mutex(0)
        try await ReplicaHarness.run(.sqlite) { harness in
            let topic = ConsumerTopic("rentals", accepting: .any)
                .handling { _, _ in throw Refusal() }
                .middleware(Persistent { _ in attempts.withLock { $0 += 1 } })
            try await harness.publish(.rental(.created, 1, name: "a"))
            try await harness.consume(Mirror(rentals: topic))
            #expect(try await harness.rows(rentalNames) == [])
            #expect(try await harness.failures.count == 1)
        }
        #expect(attempts.withLock { $0 } == 2)
    }
}
