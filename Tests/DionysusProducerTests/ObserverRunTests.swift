import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// Runs over the records that are reached from observed ones.
@Suite struct ObserverRunTests {
    @Test(
        "a run publishes the visible records that are reached from the observed ones, with the change's time and trace",
        arguments: TestDatabaseKind.available
    )
    func reach(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(25)
            try await harness.write(
                "INSERT INTO accounts (id, name) VALUES (2, 'Other'), (3, 'Third')",
                "UPDATE rentals SET account_id = 2 WHERE id % 5 = 0",
                "UPDATE rentals SET account_id = 3 WHERE id = 1",
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z' WHERE id = 2",
                "DELETE FROM dionysus_outboxes"
            )
            let expansion = try await harness.expansion()
            var context = OutboxContext()
            context.createdAt = Timestamp("2026-01-02T03:04:05Z")
            context.traceparent = "00-1-2-00"
            let id = try await harness.database.transaction(.write) { [context] transaction in
                try Genesis.observerRun(
                    expansion,
                    observedIDs: ["1", "3"],
                    context: context,
                    chunkSize: 10,
                    in: &transaction
                )
            }
            let worker = try await harness.genesisWorker()
            while try await worker.step() {}
            let ids = (1...25).filter { $0 % 5 != 0 && $0 != 2 }
            #expect(
                try await harness.pending().sorted()
                    == ids.map { "rental_updated Rental:\($0) v3_rentals \($0 == 1 ? 3 : 1)" }.sorted()
            )
            #expect(try await harness.value("SELECT min(traceparent) FROM dionysus_outboxes") == .text("00-1-2-00"))
            let createdAt = try await harness.value("SELECT max(created_at) FROM dionysus_outboxes")
            #expect(try createdAt.converted(to: .timestamp) == .timestamp(try #require(context.createdAt)))
            try await harness.relay()
            let run = try await harness.genesis.run(id)
            #expect(run.state == .completed && run.chunks == 2 && run.recordsPublished == 19)
        }
    }

    @Test("a run over observers is not announced as a genesis", arguments: TestDatabaseKind.available)
    func announcement(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(3)
            let expansion = try await harness.expansion()
            _ = try await harness.database.transaction(.write) { transaction in
                try Genesis.observerRun(
                    expansion,
                    observedIDs: ["1"],
                    context: OutboxContext(),
                    chunkSize: 10,
                    in: &transaction
                )
            }
            let announced = Announcements()
            var hooks = GenesisHooks()
            hooks.onPerformed = { announced.add($0) }
            try await harness.relay(hooks: hooks)
            #expect(try await harness.events(in: "v3_rentals").count == 3)
            #expect(announced.all.isEmpty)
        }
    }

    @Test(
        "observers are counted no further than to the limit",
        arguments: TestDatabaseKind.available,
        [(2, 3), (9, 5)]
    )
    func count(_ kind: TestDatabaseKind, _ example: (limit: Int, count: Int)) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(6)
            try await harness.write("UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z' WHERE id = 2")
            let count = Genesis.countObservers(
                try await harness.expansion(),
                observedIDs: ["1"],
                upTo: example.limit,
                dialect: harness.database.dialect
            )
            #expect(try await harness.value(count) == .integer(Int64(example.count)))
        }
    }

    @Test(
        "a record that is reached in several ways along a chain is published once",
        arguments: TestDatabaseKind.available
    )
    func chain(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(3)
            try await harness.write(
                "INSERT INTO bookings (id, rental_id, start_at) VALUES (1, 1, '2026-01-01T00:00:00Z'), (2, 2, '2026-01-01T00:00:00Z')",
                "INSERT INTO bookings_fees (id, booking_id, name) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')",
                "DELETE FROM dionysus_outboxes"
            )
            let registry = Registry(FeeObservingSync())
            let catalogue = try await Catalogue.read(for: registry, from: harness.database)
            let expansion = try #require(Expansion.all(of: registry, catalogue).first)
            _ = try await harness.database.transaction(.write) { transaction in
                try Genesis.observerRun(
                    expansion,
                    observedIDs: ["1", "2"],
                    context: OutboxContext(),
                    chunkSize: 10,
                    in: &transaction
                )
            }
            let worker = try await harness.genesisWorker()
            while try await worker.step() {}
            #expect(try await harness.pending() == ["rental_updated Rental:1 v3_rentals 1"])
        }
    }

    @Test("what a run knows of its records survives being written down")
    func selection() throws {
        let hop = AssociationHop(
            column: "id",
            otherTable: "notes",
            otherColumn: "subject_id",
            condition: .init(.target, "subject_type", "Rental")
        )
        var selection = GenesisSelection(
            from: Timestamp("2026-01-01"),
            to: .now,
            where: [.init("name", "Ca'sa"), .init("id", nil)],
            visibleOnly: true
        )
        selection.reach = try ObserverReach(
            json: JSON(
                parsing: Array(#"{"table":"rentals","primary_key":"id","key_type":"uuid","ids":["a","b"]}"#.utf8)
            )
        )
        selection.reach?.hops = [hop]
        #expect(GenesisSelection(json: try JSON(parsing: selection.json.bytes)) == selection)
    }
}

extension ProducerHarness {
    fileprivate func expansion() async throws -> Expansion {
        let catalogue = try await Catalogue.read(for: registry, from: database)
        return try #require(Expansion.all(of: registry, catalogue).first)
    }
}

private struct FeeObservingSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v3") {
            Topic("rentals", partitionKey: "account_id") {
                Publish(Rental.self)
                    .observing(BookingsFee.self, .amount, through: BookingsFee.booking.then(Booking.rental))
            }
        }
    }
}
