import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct TransformationTests {
    private func consumer(
        _ transform: @escaping @Sendable ([IncomingMessage]) throws -> [IncomingMessage]
    ) -> Declared {
        Declared([ConsumerTopic("rentals").batchTransformation(BatchTransformation(transform))])
    }

    private let rentals: SQL = "SELECT synced_id, name FROM rentals ORDER BY synced_id"

    @Test(arguments: TestDatabaseKind.available)
    func `messages and events that a transformation leaves out are done with`(_ kind: TestDatabaseKind) async throws {
        let two = #"{"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":4},{"id":5}]}]}"#
        try await ReplicaHarness.expect(
            kind,
            (1...3).map { .rental(.created, $0, name: "r\($0)") } + [WireMessage("v3_rentals", value: two)],
            by: consumer { messages in
                messages.filter { $0.message.offset != 1 }
                    .map { message in
                        var message = message
                        message.events.removeAll { $0.data["synced_id"] == .integer(4) }
                        return message
                    }
            },
            give: ["1 r1", "3 r3", "5 -"],
            in: rentals
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a transformation can change what is stored, under the names it has here`(
        _ kind: TestDatabaseKind
    ) async throws {
        let payload = #"{"id":1,"name":"a","price":"1.50","updated_at":"2026-01-01T00:00:00Z","links":{"account":5}}"#
        try await ReplicaHarness.expect(
            kind,
            [
                .event("rental_created", "Rental", payload),
                .rental(.updated, 1, name: "old", updatedAt: "2026-01-02T00:00:00Z"),
            ],
            by: consumer { messages in
                messages.map { message in
                    var message = message
                    for index in message.events.indices where message.events[index].name.change == .created {
                        message.events[index].data["name"] = .string("changed")
                        message.events[index].data["bedrooms"] = .integer(3)
                        message.events[index].data["price"] = nil
                        message.events[index].data["synced_account_id"] = .integer(6)
                        message.events[index].data["synced_updated_at"] = .string("2026-01-03T00:00:00Z")
                    }
                    return message
                }
            },
            give: ["1 changed 3 - 6 2026-01-03T00:00:00.000Z"],
            in: "SELECT synced_id, name, bedrooms, price, synced_account_id, synced_updated_at FROM rentals"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a transformation can put messages into another order`(_ kind: TestDatabaseKind) async throws {
        let offsets = Mutex<[Int64]>([])
        var consumer = consumer { $0.reversed() }
        consumer.onConsume = { event in offsets.withLock { $0.append(event.offset) } }
        try await ReplicaHarness.run(kind) { [consumer] replica in
            try await replica.publish((1...3).map { .rental(.created, $0, name: "r\($0)") })
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["3"])
        }
        #expect(offsets.withLock { $0 } == [2, 1, 0])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what a transformation throws is a failure of the message that it throws for`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.expect(
            kind,
            (1...3).map { .rental(.created, $0, name: "r\($0)") },
            by: consumer { messages in
                if messages.contains(where: { $0.events.contains { $0.data["name"] == .string("r2") } }) {
                    throw Refusal()
                }
                return messages
            },
            give: ["1 r1", "3 r3"],
            in: rentals,
            failures: ["1"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `records that come along are stored as ever when their parent's data is changed`(
        _ kind: TestDatabaseKind
    ) async throws {
        let payload = #"{"id":1,"links":{"bookings_fees":[4]},"bookings_fees":[{"id":4,"name":"f"}]}"#
        let transformation = BatchTransformation { messages in
            messages.map { message in
                var message = message
                for index in message.events.indices { message.events[index].data["final_price"] = .string("9.75") }
                return message
            }
        }
        try await ReplicaHarness.expect(
            kind,
            [.event("booking_created", "Booking", payload)],
            by: Declared([ConsumerTopic("bookings").batchTransformation(transformation)]),
            give: ["1 9.75 4 f"],
            in: "SELECT b.synced_id, b.final_price, f.synced_id, f.name FROM bookings b CROSS JOIN bookings_fees f"
        )
    }
}
