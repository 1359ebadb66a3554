import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct BatchTests {
    /// The offsets of the events that were applied, in their order.
    private func applied(_ messages: [WireMessage], by change: (inout Mirror) -> Void = { _ in }) async throws
        -> [Int64]
    {
        let offsets = Mutex<[Int64]>([])
        try await ReplicaHarness.run(.sqlite) { replica in
            var mirror = Mirror(onConsume: { event in offsets.withLock { $0.append(event.offset) } })
            change(&mirror)
            try await replica.publish(messages)
            try await replica.consume(mirror)
        }
        return offsets.withLock { $0 }
    }

    private static let time = "2026-01-01T00:00:00Z"

    @Test func `of a record's consecutive updates the newest is kept, in the place of the last`() async throws {
        let offsets = try await applied([
            .rental(.updated, 1, name: "a", version: 1),
            .rental(.updated, 1, name: "c", version: 3),
            .rental(.updated, 2, name: "x", version: 1),
            .rental(.updated, 1, name: "b", version: 2),
        ])
        #expect(offsets == [2, 1])
    }

    @Test func `without versions the later time is newer, and of equal times the later offset`() async throws {
        let offsets = try await applied([
            .rental(.updated, 1, name: "a", updatedAt: "2026-01-02T00:00:00Z"),
            .rental(.updated, 1, name: "b", updatedAt: Self.time),
            .rental(.updated, 2, name: "c", updatedAt: Self.time),
            .rental(.updated, 2, name: "d", updatedAt: Self.time),
        ])
        #expect(offsets == [0, 3])
    }

    @Test func `other events of the record end a run of updates`() async throws {
        let offsets = try await applied([
            .rental(.updated, 1, name: "a"), .rental(.created, 1, name: "b"), .rental(.updated, 1, name: "c"),
        ])
        #expect(offsets == [0, 1, 2])
    }

    @Test func `updates that don't carry the same attributes are all kept`() async throws {
        let offsets = try await applied([
            .rental(.updated, 1, name: "a", updatedAt: Self.time), .rental(.updated, 1, updatedAt: Self.time),
        ])
        #expect(offsets == [0, 1])
    }

    @Test func `a topic can have every message applied`() async throws {
        let messages = (0..<4).map { WireMessage.rental(.updated, 1, name: "version \($0)", version: Int64($0)) }
        let offsets = try await applied(messages) { $0.rentals = $0.rentals.batchTransformation(nil) }
        #expect(offsets == [0, 1, 2, 3])
    }

    @Test func `a filter sees the event under the names it has here, and can skip it`() async throws {
        let messages = (0..<4).map { WireMessage.rental(.created, $0, name: "rental \($0)") }
        let offsets = try await applied(messages) { mirror in
            mirror.rentals = mirror.rentals.accepting { event in
                event.model == "Rental" && event.data["synced_id"] != .integer(2)
            }
        }
        #expect(offsets == [0, 1, 3])
    }

    @Test func `a message can hold several events and several records`() async throws {
        let value = """
            {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":1},{"id":2}]},\
            {"event":"rental_destroyed","model_name":"Rental","data":[{"id":1}]}]}
            """
        try await ReplicaHarness.run(.sqlite) { replica in
            try await replica.publish(WireMessage("v3_rentals", value: value))
            try await replica.consume()
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == ["2"])
        }
    }

    @Test func `a replica can be declared by its type`() async throws {
        try await ReplicaHarness.run(.sqlite) { replica in
            let mirror = Mirror(replicas: [
                Persist("Villa", as: LocalRental.self).renaming("label", to: .title).element,
                Persist("Booking", as: LocalBooking.self).replacing(LocalBooking.fees).element,
            ])
            let fees = #"{"id":1,"links":{"bookings_fees":[4]},"bookings_fees":[{"id":4,"links":{"booking":1}}]}"#
            let none = #"{"id":1,"links":{"bookings_fees":[]},"bookings_fees":[]}"#
            try await replica.publish(
                .event("villa_created", "Villa", #"{"id":8,"label":"by the sea"}"#),
                .event("booking_updated", "Booking", fees)
            )
            try await replica.consume(mirror)
            #expect(try await replica.rows("SELECT synced_id, name FROM rentals") == ["8 by the sea"])
            #expect(try await replica.rows("SELECT synced_id FROM bookings_fees") == ["4"])
            try await replica.publish(.event("booking_updated", "Booking", none))
            try await replica.consume(mirror)
            #expect(try await replica.rows("SELECT synced_id FROM bookings_fees") == [])
        }
    }
}

private struct LocalRental: Model {
    var id: Int
    var title: String?

    enum CodingKeys: String, CodingKey {
        case id
        case title = "name"
    }
    static let tableName = "rentals"
}

private struct LocalBooking: Model {
    var id: Int

    enum CodingKeys: String, CodingKey { case id }
    static let tableName = "bookings"
    static let fees = hasMany(LocalFee.self, by: .bookingID)
}

private struct LocalFee: Model {
    var id: Int
    var bookingID: Int?

    enum CodingKeys: String, CodingKey {
        case id
        case bookingID = "synced_booking_id"
    }
    static let tableName = "bookings_fees"
}
