import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct HandlerTests {
    private struct NotToday: Error {}

    private struct BookingPayload: Decodable, Sendable {
        struct Fee: Decodable {
            let id: Int
            let amount: ExactDecimal
        }

        let id: Int
        let price: ExactDecimal
        let start: Timestamp
        let fees: [Fee]

        enum CodingKeys: String, CodingKey {
            case id
            case price = "final_price"
            case start = "start_at"
            case fees = "bookings_fees"
        }
    }

    private struct RentalPayload: Decodable, Sendable {
        let id: Int
        let name: String
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a handler writes in the transaction of the data, after it, in the order of the partition`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals")
                .handling { event, transaction in
                    let id = event.entityID.flatMap { Int($0) }
                    let found = try transaction.run("SELECT name FROM rentals WHERE synced_id = \(id ?? 0)")
                    let name = try found.first?.text(0)
                    try Journal.note("\(event.number) \(event.name) \(name ?? "gone")", in: &transaction)
                    return .acknowledged
                }
            try await replica.publish(
                .rental(.created, 1, name: "first"),
                .rental(.created, 2, name: "second"),
                .rental(.destroyed, 1)
            )
            try await replica.consume(Listener(topics: [topic]))
            #expect(
                try await replica.journal
                    == ["0 rental_created gone", "0 rental_created second", "0 rental_destroyed gone"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a handler is called for events that the batch transformation leaves out, and for outdated ones`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals")
                .handling { event, transaction in
                    try Journal.note("version \(event.version ?? 0)", in: &transaction)
                    return .acknowledged
                }
            try await replica.publish(
                .rental(.updated, 1, name: "a", version: 5),
                .rental(.updated, 1, name: "b", version: 7),
                .rental(.created, 1, name: "c", version: 3)
            )
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.journal == ["version 5", "version 7", "version 3"])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["b"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a handler that throws fails its message only, and undoes everything that the message has changed`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals").handling(Journal.handler)
                .handling { event, _ in
                    if event.entityID == "7" { throw NotToday() }
                    return .acknowledged
                }
            try await replica.publish((1...20).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(Listener(topics: [topic]))
            let others = (1...20).filter { $0 != 7 }
            #expect(try await replica.journal == others.map { "rental_created \($0)" })
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY 1") == others.map(String.init))
            let failures = try await replica.rows(
                "SELECT \"offset\", error_class, error_message FROM dionysus_failures"
            )
            #expect(
                failures == ["6 application v3_rentals[0] offset 6: a handler of rental_created failed with NotToday"]
            )
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a handler is not called for a message that has failed`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            try await replica.publish(
                .rental(.created, 1, name: "first"),
                .event("rental_created", "Rental", #"{"id":2,"price":"a lot"}"#),
                WireMessage("v3_rentals", key: "Rental:3", value: "not JSON"),
                .event("rental_created", "Rental", #"{"name":"no id"}"#),
                .rental(.created, 5, name: "last")
            )
            try await replica.consume(Listener(topics: [ConsumerTopic("rentals").handling(Journal.handler)]))
            #expect(try await replica.journal == ["rental_created 1", "rental_created 5"])
            #expect(try await replica.failedOffsets == ["1", "2", "3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error that goes away by itself runs the transaction again, and nothing of the first try is left`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let calls = Mutex(0)
            let topic = ConsumerTopic("rentals").handling(Journal.handler)
                .handling { _, _ in
                    let call = calls.withLock { calls in
                        calls += 1
                        return calls
                    }
                    if call == 1 { throw DionysusError(.transactionConflict, "deadlock", isRetriable: true) }
                    return .acknowledged
                }
            try await replica.publish(.rental(.created, 1, name: "first"))
            try await replica.consume(Listener(topics: [topic]))
            #expect(calls.withLock { $0 } == 2)
            #expect(try await replica.journal == ["rental_created 1"])
            #expect(try await replica.failedOffsets == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an error of the application does not hold up the partition, even if it says that it may go away`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals")
                .handling { event, _ in
                    if event.entityID == "1" { throw DionysusError(.application, "not yet", isRetriable: true) }
                    return .acknowledged
                }
            try await replica.publish(.rental(.created, 1, name: "first"), .rental(.created, 2, name: "second"))
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.failedOffsets == ["0"])
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == ["2"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a typed handler gets the payload decoded as it is on the wire, with sideloaded records`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("bookings")
                .handling(BookingPayload.self, of: "Booking") { booking, event, transaction in
                    let total = booking.fees.map { "\($0.id):\($0.amount)" }.joined(separator: ",")
                    let text = "\(booking.id) \(booking.price) \(booking.start) \(total) \(event.name)"
                    try Journal.note(text, in: &transaction)
                    return .acknowledged
                }
            let payload = """
                {"id":1,"final_price":"120.50","start_at":"2026-01-01T10:00:00.000Z",\
                "links":{"bookings_fees":[4,5]},\
                "bookings_fees":[{"id":4,"amount":"1.50","links":{}},{"id":5,"amount":2,"links":{}}]}
                """
            try await replica.publish(
                .event("booking_updated", "Booking", payload),
                .event("bookings_fee_updated", "BookingsFee", #"{"id":9,"links":{}}"#)
            )
            var misplaced = WireMessage.event("bookings_fee_updated", "BookingsFee", #"{"id":9,"links":{}}"#)
            misplaced.topic = "v3_bookings"
            try await replica.publish(misplaced)
            try await replica.consume(Listener(topics: [topic]))
            let time = Timestamp("2026-01-01T10:00:00Z")?.description ?? ""
            #expect(try await replica.journal == ["1 120.50 \(time) 4:1.50,5:2 booking_updated"])
            #expect(try await replica.failedOffsets == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a typed handler is called for destructions only if it asks for them`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            struct Identified: Decodable, Sendable { let id: Int }
            let topic = ConsumerTopic("rentals")
                .handling(RentalPayload.self, of: "Rental") { rental, _, transaction in
                    try Journal.note("saved \(rental.name)", in: &transaction)
                    return .acknowledged
                }
                .handling(Identified.self, of: "Rental", on: [.destroyed]) { rental, _, transaction in
                    try Journal.note("destroyed \(rental.id)", in: &transaction)
                    return .acknowledged
                }
            try await replica.publish(
                .rental(.created, 1, name: "first"),
                .event("rental_destroyed", "Rental", #"{"id":1,"links":{}}"#)
            )
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.journal == ["saved first", "destroyed 1"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a payload that does not fit the type of a handler fails its message only, and the error shows nothing of it`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals")
                .handling(RentalPayload.self, of: "Rental") { rental, _, transaction in
                    try Journal.note(rental.name, in: &transaction)
                    return .acknowledged
                }
            try await replica.publish(
                .event("rental_created", "Rental", #"{"id":"secret","name":"first"}"#),
                .rental(.created, 2, name: "second")
            )
            try await replica.consume(Listener(topics: [topic.batchTransformation(nil)]))
            #expect(try await replica.journal == ["second"])
            let errors = try await replica.rows("SELECT error_message FROM dionysus_failures")
            #expect(errors.count == 1)
            #expect(errors.first?.contains("secret") == false)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a model without a replica can be handled, and each record of a message has its number`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.runWithJournal(kind) { replica in
            let topic = ConsumerTopic("rentals")
                .handling { event, transaction in
                    try Journal.note("\(event.number) \(event.model) \(event.entityID ?? "-")", in: &transaction)
                    return .acknowledged
                }
            let value = """
                {"message":[{"event":"villa_created","model_name":"Villa","data":[{"id":1},{"id":"x"}]},\
                {"event":"unheard_of","model_name":"Villa","data":[{"id":2},{"id":3}]},\
                {"event":"villa_updated","model_name":"Villa","data":[{"id":4}]}]}
                """
            try await replica.publish(WireMessage("v3_rentals", value: value))
            try await replica.consume(Listener(topics: [topic]))
            #expect(try await replica.journal == ["0 Villa 1", "1 Villa x", "4 Villa 4"])
        }
    }
}
