import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// Runs over the records that are reached from observed ones.
@Suite struct ObserverRunTests {
    @Test(
        "a run publishes the visible records that are reached from what changed, with the change's time and trace",
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
                "DELETE FROM dionysus_outboxes",
                "UPDATE accounts SET default_check_in_time = 9 WHERE id IN (1, 3)",
                "UPDATE dionysus_outboxes SET traceparent = '00-1-2-00', created_at = '2026-01-02T03:04:05Z'"
            )
            let id = try await harness.observerRun(["1", "3"])
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            let ids = (1...25).filter { $0 % 5 != 0 && $0 != 2 }
            #expect(
                try await harness.pending().sorted()
                    == ids.map { "rental_updated Rental:\($0) v3_rentals \($0 == 1 ? 3 : 1)" }.sorted()
            )
            #expect(try await harness.value("SELECT min(traceparent) FROM dionysus_outboxes") == .text("00-1-2-00"))
            let createdAt = try await harness.value("SELECT max(created_at) FROM dionysus_outboxes")
            #expect(try createdAt.converted(to: .timestamp) == Timestamp("2026-01-02T03:04:05Z").databaseValue)
            try await harness.relay()
            let run = try await harness.genesis.run(id)
            #expect(run.state == .completed && run.chunks == 2 && run.recordsPublished == 19)
        }
    }

    @Test("a run over observers is not announced as a genesis", arguments: TestDatabaseKind.available)
    func announcement(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(3)
            try await harness.write("UPDATE accounts SET default_check_in_time = 9")
            try await harness.observerRun(["1"])
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
            try await harness.write(
                "UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z' WHERE id = 2",
                "UPDATE accounts SET default_check_in_time = 9"
            )
            let (rows, expansions) = (try await harness.observed(["1"]), try await harness.expansions())
            let count = try await harness.database.transaction(.write) { transaction in
                try ObserverReach.count(rows, by: expansions, upTo: example.limit, in: &transaction)
            }
            #expect(count == example.count)
        }
    }

    @Test(
        "a record that is reached in several ways is published once, also along chains and from where it was before",
        arguments: TestDatabaseKind.available
    )
    func chain(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.genesis(kind) { harness in
            try await harness.addRentals(4)
            try await harness.write(
                "INSERT INTO bookings (id, rental_id, start_at) VALUES (1, 1, '2026-01-01T00:00:00Z'), (2, 2, '2026-01-01T00:00:00Z'), (3, 3, '2026-01-01T00:00:00Z')",
                "INSERT INTO bookings_fees (id, booking_id, name) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')",
                "DELETE FROM dionysus_outboxes"
            )
            for (id, changeset) in [(1, "{}"), (2, #"{"amount":[],"booking_id":[3,1]}"#)] {
                try await harness.write(
                    """
                    INSERT INTO dionysus_outboxes
                      (resource_class, resource_id, event_name, topic, changeset, created_at, updated_at)
                    VALUES ('BookingsFee', \(String(id)), 'bookings_fee_updated', '__outbox_observer__', \(changeset),
                      '2026-01-01', '2026-01-01')
                    """
                )
            }
            let rows = try await harness.observed(["1", "2"])
            let expansions = try await harness.expansions(of: FeeObservingSync())
            _ = try await harness.database.transaction(.write) { transaction in
                try Genesis.observerRun(rows, by: expansions, chunkSize: 10, tables: OutboxTables(), in: &transaction)
            }
            try await harness.settle()
            let worker = try await harness.genesisWorker()
            while try await worker.step() == .worked {}
            #expect(
                try await harness.pending() == [
                    "rental_updated Rental:1 v3_rentals 1", "rental_updated Rental:3 v3_rentals 1",
                ]
            )
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
        selection.reach = ObserverReach(ways: [.init(values: ["a", "b"], type: .uuid, hops: [hop])])
        #expect(GenesisSelection(json: try JSON(parsing: selection.json.bytes)) == selection)
    }
}

extension ProducerHarness {
    fileprivate func expansions(of producer: any Producer = BookingSync()) async throws -> [Expansion] {
        let registry = Registry(producer)
        let catalogue = try await Catalogue.read(for: registry, from: database)
        return Expansion.all(of: registry, catalogue).filter { $0.topic == OutboxRow.observerTopic }
    }

    /// The rows about observed records.
    fileprivate func observed(_ ids: [String]) async throws -> [OutboxRow] {
        let topic = OutboxRow.observerTopic
        return
            try await database.transaction(.snapshot) { transaction in
                try transaction.run(
                    """
                    SELECT id, resource_class, resource_id, event_name, topic, partition_key, attempts, changeset, created_at,
                      traceparent, tracestate, origin, 0
                    FROM dionysus_outboxes WHERE topic = \(topic) ORDER BY id
                    """
                )
                .rows.map { try OutboxRow($0) }
            }
            .filter { ids.contains($0.resourceID) }
    }

    /// Replaces the rows about observed accounts by a run.
    @discardableResult
    fileprivate func observerRun(_ ids: [String]) async throws -> Int64 {
        let (rows, expansions) = (try await observed(ids), try await expansions())
        let id = try await database.transaction(.write) { transaction in
            try Genesis.observerRun(rows, by: expansions, chunkSize: 10, tables: OutboxTables(), in: &transaction)
        }
        try await settle()
        return id
    }
}

private struct FeeObservingSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { Whole(Rental.self) }) {
            Topic("rentals", partitionKey: "account_id") {
                Publish(Rental.self)
                    .observing(BookingsFee.self, .amount, through: BookingsFee.booking.then(Booking.rental))
            }
        }
    }
}
