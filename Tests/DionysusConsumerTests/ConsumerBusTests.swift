import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// What the event bus receives about events that have been committed.
@Suite struct ConsumerBusTests {
    private static func instrumentation(
        _ bus: InProcessEventBus,
        _ errors: Collected<ErrorContext> = Collected()
    ) -> Instrumentation {
        var instrumentation = Instrumentation()
        instrumentation.eventBus = bus
        instrumentation.errorHandler = errors
        return instrumentation
    }

    @Test(arguments: TestDatabaseKind.available)
    func `after the commit the bus receives the batch, then each of its events, with data and local changes`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let told = Collected<String>()
            let events = Collected<ConsumedEvent>()
            let bus = InProcessEventBus()
            bus.subscribe(to: ConsumedBatch.self) { batch in
                let committed = try await replica.rows("SELECT name FROM rentals ORDER BY synced_id")
                #expect(committed == ["hut", "tent"])
                told.add("batch \(batch.topic) \(batch.events.map(\.offset))")
            }
            bus.subscribe(to: ConsumedEvent.self) { event in
                told.add("\(event.topic) \(event.offset) \(event.name) \(event.model)")
                events.add(event)
            }
            try await replica.publish(.rental(.created, 1, name: "hut"), .rental(.created, 2, name: "tent"))
            try await replica.service(Self.instrumentation(bus)).run()

            #expect(ConsumedBatch.name == "dionysus.consume_batch")
            #expect(ConsumedEvent.name == "dionysus.consume")
            #expect(
                told.all == [
                    "batch v3_rentals [0, 1]", "v3_rentals 0 rental_created Rental",
                    "v3_rentals 1 rental_created Rental",
                ]
            )
            let first = try #require(events.all.first)
            #expect(first.data["synced_id"] == .integer(1) && first.data["name"] == .string("hut"))
            let changes = first.localChanges[LocalRecord(model: "Rental", id: .integer(1))]
            #expect(changes?["name"]?.old == .null && changes?["name"]?.new == .text("hut"))
            #expect(first.localChanges.count == 1)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `local changes hold those of sideloaded records, and of those that an association no longer has`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let changes = Collected<[LocalRecord: [String: LocalChange]]>()
            let bus = InProcessEventBus()
            bus.subscribe(to: ConsumedEvent.self) { changes.add($0.localChanges) }
            func booking(price: Int, fees: [(id: Int, name: String)]) -> WireMessage {
                let list = fees.map { #"{"id":\#($0.id),"name":"\#($0.name)","links":{"booking":1}}"# }
                let ids = fees.map { "\($0.id)" }.joined(separator: ",")
                let links = #""links":{"bookings_fees":[\#(ids)]}"#
                let payload =
                    #"{"id":1,"final_price":"\#(price)",\#(links),"bookings_fees":[\#(list.joined(separator: ","))]}"#
                return .event("booking_updated", "Booking", payload)
            }
            let booking1 = LocalRecord(model: "Booking", id: .integer(1))
            let (fee4, fee5) = (
                LocalRecord(model: "BookingsFee", id: .integer(4)), LocalRecord(model: "BookingsFee", id: .integer(5))
            )
            for message in [
                booking(price: 10, fees: [(4, "linen"), (5, "heat")]), booking(price: 10, fees: [(4, "towels")]),
            ] {
                try await replica.publish(message)
                try await replica.service(Self.instrumentation(bus)).run()
            }
            let (first, second) = (try #require(changes.all.first), try #require(changes.all.last))
            #expect(Set(first.keys) == [booking1, fee4, fee5])
            #expect(first[fee5]?["name"]?.new == .text("heat"))
            #expect(Set(second.keys) == [fee4, fee5])
            #expect(second[fee4]?["name"]?.old == .text("linen") && second[fee4]?["name"]?.new == .text("towels"))
            #expect(second[fee5]?["name"]?.old == .text("heat") && second[fee5]?["name"]?.new == .null)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the bus receives nothing about events without an effect, and about messages that failed`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (batches, events) = (Collected<[Int64]>(), Collected<Int64>())
            let bus = InProcessEventBus()
            bus.subscribe(to: ConsumedBatch.self) { batches.add($0.events.map(\.offset)) }
            bus.subscribe(to: ConsumedEvent.self) { events.add($0.offset) }
            var mirror = Mirror()
            mirror.rentals = mirror.rentals.accepting { $0.data["name"] != .string("unwanted") }
            try await replica.publish(
                .rental(.created, 1, name: "new", version: 5),
                .rental(.created, 1, name: "outdated", version: 4),
                .rental(.created, 2, name: "unwanted"),
                .event("yacht_created", "Yacht", #"{"id":1}"#),
                WireMessage("v3_rentals", value: "nonsense"),
                .rental(.updated, 3, name: "collapsed", version: 6),
                .rental(.updated, 3, name: "kept", version: 7),
                WireMessage("v3_rentals", key: "Rental:1", value: nil)
            )
            try await replica.service(Self.instrumentation(bus), mirror).run()
            #expect(batches.all == [[0, 6]])
            #expect(events.all == [0, 6])
            try await replica.publish(.rental(.created, 1, name: "outdated", version: 4))
            try await replica.service(Self.instrumentation(bus), mirror).run()
            #expect(batches.all.count == 1)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the bus receives nothing about a transaction that was rolled back`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (batches, events) = (Collected<[Int64]>(), Collected<Int64>())
            let bus = InProcessEventBus()
            bus.subscribe(to: ConsumedBatch.self) { batches.add($0.events.map(\.offset)) }
            bus.subscribe(to: ConsumedEvent.self) { events.add($0.offset) }
            // The database refuses the third, and with it what is in its transaction.
            let names = ["a", "b", "a", "c"]
            try await replica.publish(names.enumerated().map { .rental(.created, $0.offset, name: $0.element) })
            try await replica.service(Self.instrumentation(bus)).run()
            #expect(batches.all == [[0, 1], [3]])
            #expect(events.all == [0, 1, 3])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `errors of subscribers and of the application's reaction reach the error handler, and never the data`(
        _ kind: TestDatabaseKind
    ) async throws {
        struct Refusal: Error {}
        try await ReplicaHarness.run(kind) { replica in
            let (errors, events) = (Collected<ErrorContext>(), Collected<Int64>())
            let bus = InProcessEventBus()
            bus.subscribe(to: ConsumedBatch.self) { _ in throw Refusal() }
            bus.subscribe(to: ConsumedEvent.self) { _ in throw Refusal() }
            bus.subscribe(to: ConsumedEvent.self) { events.add($0.offset) }
            let mirror = Mirror(onConsume: { _ in throw Refusal() })
            try await replica.publish(.rental(.created, 1, name: "hut", partition: 2))
            try await replica.service(Self.instrumentation(bus, errors), mirror).run()
            #expect(
                errors.all
                    == [
                        "tell a subscriber of dionysus.consume_batch", "tell a subscriber of dionysus.consume",
                        "react to rental_created",
                    ]
                    .map { ErrorContext($0, topic: "v3_rentals", partition: 2, offset: 0) }
            )
            #expect(events.all == [0])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["hut"])
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["1"])
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_failures") == ["0"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event that nobody is interested in is not given to the bus`(_ kind: TestDatabaseKind) async throws {
        struct Deaf: EventBus {
            let published: Collected<String>

            func isObserved(_ event: any BusEvent.Type) -> Bool { event.name == "dionysus.consume" }

            func publish(_ event: any BusEvent, reporting report: @Sendable (any Error) -> Void) async {
                published.add(type(of: event).name)
            }
        }
        try await ReplicaHarness.run(kind) { replica in
            let published = Collected<String>()
            var instrumentation = Instrumentation()
            instrumentation.eventBus = Deaf(published: published)
            try await replica.publish(.rental(.created, 1, name: "hut"))
            try await replica.service(instrumentation).run()
            #expect(published.all == ["dionysus.consume"])
        }
    }
}
