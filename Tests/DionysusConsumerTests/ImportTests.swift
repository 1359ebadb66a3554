import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct ImportTests {
    /// A replica whose table tells which way its rows came.
    private static let imported = Persist("Rental", table: "places")
        .importRecords { events, transaction in
            for event in events {
                guard let id = event.id?.text, let name = event.data["name"]?.text else { throw Refusal() }
                let rooms = event.related.first { $0.relationship == "rooms" }?.records.count ?? 0
                try transaction.run([
                    "DELETE FROM places WHERE synced_id = \(raw: id)",
                    "INSERT INTO places (synced_id, name, rooms) VALUES (\(raw: id), \("imported \(name)"), \(rooms))",
                ])
            }
        }
        .destroyRecords { events, transaction in
            for event in events {
                guard let id = event.id?.text else { throw Refusal() }
                try transaction.run("UPDATE places SET name = 'destroyed' WHERE synced_id = \(raw: id)")
            }
        }

    private let consumer = Declared([ConsumerTopic("rentals", imports: true)], replicas: [imported.element])
    private let table: SQL = "CREATE TABLE places (synced_id bigint NOT NULL UNIQUE, name text, rooms integer)"
    private let query: SQL = "SELECT synced_id, name, rooms FROM places ORDER BY synced_id"

    private func created(_ id: Int, _ name: Int, rooms: [Int] = []) -> WireMessage {
        let records = rooms.map { #"{"id":\#($0)}"# }.joined(separator: ",")
        let ids = rooms.map(String.init).joined(separator: ",")
        return .event(
            "rental_created",
            "Rental",
            #"{"id":\#(id),"name":\#(name),"links":{"rooms":[\#(ids)]},"rooms":[\#(records)]}"#
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `created and destroyed events are handed over whole, and updated ones are stored in the table`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.expect(
            kind,
            [
                created(1, 10, rooms: [7, 8]), created(2, 20), .rental(.updated, 2, name: "updated"),
                .rental(.updated, 3, name: "only updated"), created(4, 40), .rental(.destroyed, 4),
            ],
            by: consumer,
            after: [table],
            give: ["1 imported 10 2", "2 updated 0", "3 only updated -", "4 destroyed 0"],
            in: query
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the events of a record keep their order, whichever way they take`(_ kind: TestDatabaseKind) async throws {
        let first = #"{"id":1,"name":"u1"}"#
        let mixed = """
            {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":3,"name":30}]},\
            {"event":"rental_updated","model_name":"Rental","data":[{"id":3,"name":"u3"}]},\
            {"event":"rental_created","model_name":"Rental","data":[{"id":4,"name":40}]}]}
            """
        try await ReplicaHarness.expect(
            kind,
            [
                .event("rental_updated", "Rental", first), created(1, 10), .event("rental_updated", "Rental", first),
                .rental(.destroyed, 1), .rental(.updated, 2, name: "u2"), .rental(.destroyed, 2), created(2, 20),
                WireMessage("v3_rentals", value: mixed),
            ],
            by: consumer,
            after: [table],
            give: ["1 destroyed 0", "2 imported 20 0", "3 u3 0", "4 imported 40 0"],
            in: query
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic that does not import stores every event in the table`(_ kind: TestDatabaseKind) async throws {
        var consumer = consumer
        consumer.parts = [
            ConsumerNamespace("v3") {
                ConsumerTopic("rentals")
                ConsumerTopic("heavy", accepting: .any, imports: true)
            }
        ]
        try await ReplicaHarness.expect(
            kind,
            [.rental(.created, 1, name: "a"), .rental(.created, 2, name: "b"), .rental(.destroyed, 1)],
            by: consumer,
            after: [table],
            give: ["2 b -"],
            in: query
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an import that fails is a failure of its message alone`(_ kind: TestDatabaseKind) async throws {
        let nameless = WireMessage.event("rental_created", "Rental", #"{"id":2}"#)
        try await ReplicaHarness.expect(
            kind,
            [
                created(1, 10), .rental(.updated, 2, name: "u2"), nameless, created(3, 30),
                .rental(.updated, 1, name: "u1"),
            ],
            by: consumer,
            after: [table],
            give: ["1 u1 0", "2 u2 -", "3 imported 30 0"],
            in: query,
            failures: ["2"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a mixed message of which one event fails changes nothing`(_ kind: TestDatabaseKind) async throws {
        let mixed = """
            {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":1,"name":10}]},\
            {"event":"rental_updated","model_name":"Rental","data":[{"id":"no number","name":"u3"}]}]}
            """
        try await ReplicaHarness.expect(
            kind,
            [created(3, 30), WireMessage("v3_rentals", value: mixed), .rental(.updated, 2, name: "u2")],
            by: consumer,
            after: [table],
            give: ["2 u2 -", "3 imported 30 0"],
            in: query,
            failures: ["1"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a model that the application stores is handed over in the order of the partition, as many as there are`(
        _ kind: TestDatabaseKind
    ) async throws {
        let calls = Mutex<[[String]]>([])
        let consumed = Mutex<[String]>([])
        var consumer = Declared(
            [ConsumerTopic("rentals")],
            replicas: [
                Persist("Invoice") { events, transaction in
                    calls.withLock { $0.append(events.map { "\($0.name) \($0.id?.text ?? "") \($0.version ?? 0)" }) }
                    for event in events {
                        try transaction.run(
                            "INSERT INTO ledger (entry) VALUES (\(event.data["total"]?.text ?? "none"))"
                        )
                    }
                }
                .element
            ]
        )
        consumer.onConsume = { event in consumed.withLock { $0.append("\(event.name)") } }
        func invoice(_ change: String, _ id: Int, version: Int64) -> WireMessage {
            var message = WireMessage.event(
                "invoice_\(change)",
                "Invoice",
                #"{"id":\#(id),"total":\#(id * 100)}"#,
                version: version
            )
            message.topic = "v3_rentals"
            return message
        }
        try await ReplicaHarness.run(kind) { [consumer] replica in
            try await replica.run("CREATE TABLE ledger (entry text)")
            try await replica.publish(
                invoice("created", 1, version: 1),
                .rental(.created, 5, name: "a"),
                invoice("destroyed", 1, version: 3),
                invoice("updated", 2, version: 2)
            )
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT entry FROM ledger ORDER BY entry") == ["100", "100", "200"])
        }
        #expect(calls.withLock { $0 } == [["invoice_created 1 1", "invoice_destroyed 1 3", "invoice_updated 2 2"]])
        #expect(
            consumed.withLock { $0 } == ["invoice_created", "rental_created", "invoice_destroyed", "invoice_updated"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `records of such a model that come along are handed over too, but not with an outdated parent`(
        _ kind: TestDatabaseKind
    ) async throws {
        let consumer = Declared(
            [ConsumerTopic("bookings").batchTransformation(nil)],
            replicas: [
                Persist("BookingsFee") { events, transaction in
                    for event in events {
                        try transaction.run(
                            "INSERT INTO ledger (entry) VALUES (\("\(event.name) \(event.id?.text ?? "")"))"
                        )
                    }
                }
                .element
            ]
        )
        func booking(_ fee: Int, version: Int64) -> WireMessage {
            .event(
                "booking_created",
                "Booking",
                #"{"id":1,"links":{"bookings_fees":[\#(fee)]},"bookings_fees":[{"id":\#(fee)}]}"#,
                version: version
            )
        }
        try await ReplicaHarness.expect(
            kind,
            [booking(4, version: 2), booking(5, version: 1), booking(6, version: 3)],
            by: consumer,
            after: ["CREATE TABLE ledger (entry text)"],
            give: ["bookings_fee_updated 4", "bookings_fee_updated 6"],
            in: "SELECT entry FROM ledger ORDER BY entry"
        )
    }
}
