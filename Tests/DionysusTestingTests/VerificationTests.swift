import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusTesting
import Testing

@testable import Rentals

/// Replicas that are compared with their source.
@Suite(.timeLimit(.minutes(10))) struct VerificationTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `rows that were changed, deleted and invented are found, repaired, and then clean`(
        _ database: ThrowAwayDatabase
    ) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 50)
            try await test.replica.write { replica in
                try replica.run("UPDATE rentals SET name = 'changed', bedrooms = NULL WHERE synced_id IN (3, 4)")
                try replica.run("DELETE FROM rentals WHERE synced_id IN (7, 50)")
                try replica.run(
                    """
                    INSERT INTO rentals (synced_id, synced_version, name)
                    SELECT 900, synced_version, name FROM rentals WHERE synced_id = 5
                    """
                )
                try replica.run("INSERT INTO rentals (synced_id, name) VALUES (-1, 'invented')")
            }
            let found = try await test.verify("v3_rentals", "Rental")
            #expect(
                Set(found.rows) == [
                    "stale Rental 3 bedrooms,name", "stale Rental 4 bedrooms,name", "missing Rental 7 ",
                    "missing Rental 50 ", "extra Rental 900 ", "extra Rental -1 ",
                ]
            )
            #expect(found.run.counts == [.missing: 2, .stale: 2, .extra: 2, .unreadable: 0])
            #expect(found.run.records == 50)

            let verifications = test.verifications
            #expect(try await verifications.removeExtraRows(of: found.run) == 2)
            let ids = found.differences.filter { $0.kind != .extra }.map(\.publishedID)
            #expect(try await test.verification().publish(topic: "v3_rentals", model: "Rental", ids: ids) == 4)
            try await test.settle()
            #expect(try await test.verify("v3_rentals", "Rental").rows == [])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `changes in progress are no differences`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 20)
            let run = try await test.verification().start(topic: "v3_rentals", model: "Rental", on: test.broker)
            // The replica learns of these only together with what it is compared with, or after it.
            try await test.source.write { source in
                try source.update(Rental.sample(5, name: "renamed"))
                try source.delete(Rental.sample(6))
                try source.insert(Rental.sample(1_000))
                try source.update(Account.sample(checkIn: 20))
            }
            try await test.settle()
            #expect(try await test.found(run.id).rows == [])
            #expect(try await test.replica.rows("rentals").allSatisfy { $0["check_in_time"] == 20 })
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a record that is deleted, and one that is soft-deleted, are not missing`(
        _ database: ThrowAwayDatabase
    ) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 5)
            try await test.source.write { source in
                try source.delete(Rental.sample(2))
                try source.run("UPDATE rentals SET canceled_at = updated_at WHERE id = 3")
            }
            try await test.settle()
            #expect(try await test.verify("v3_rentals", "Rental").rows == [])
            // It is kept soft-deleted; the replica of one that was never seen alive need not have it.
            try await test.replica.write { try $0.run("DELETE FROM rentals WHERE synced_id = 3") }
            #expect(try await test.verify("v3_rentals", "Rental").rows == [])
            try await test.source.write { try $0.run("UPDATE rentals SET canceled_at = updated_at WHERE id = 4") }
            try await test.settle()
            try await test.replica.write {
                try $0.run("UPDATE rentals SET synced_canceled_at = NULL WHERE synced_id = 4")
            }
            #expect(try await test.verify("v3_rentals", "Rental").rows == ["stale Rental 4 synced_canceled_at"])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `records that a filter leaves out are not missing`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database, consumer: FilteringMirror()) { test in
            try await test.source.write { source in
                try source.insert(Account.sample())
                for id in 2...9 { try source.insert(Rental.sample(id, name: id < 5 ? "hidden" : "shown")) }
            }
            try await test.settle()
            #expect(try await test.replica.rows("rentals").count == 5)
            try await test.replica.write { try $0.run("DELETE FROM rentals WHERE synced_id = 9") }
            let found = try await test.verify("v3_rentals", "Rental", by: FilteringMirror())
            #expect(found.rows == ["missing Rental 9 "])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a renamed attribute is compared with its column`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database, consumer: RenamingMirror()) { test in
            try await test.fill(rentals: 3)
            #expect(try await test.verify("v3_rentals", "Rental", by: RenamingMirror()).rows == [])
            try await test.replica.write { try $0.run("UPDATE rentals SET bedrooms = 77 WHERE synced_id = 2") }
            let found = try await test.verify("v3_rentals", "Rental", by: RenamingMirror())
            #expect(found.rows == ["stale Rental 2 bedrooms"])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `parts are compared with the records that they belong to`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 2)
            try await test.source.write { source in
                try source.run(
                    """
                    INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (1, 2, \(Timestamp.sample), 10)
                    """
                )
                for id in 1...4 {
                    try source.run(
                        "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (\(id), 1, 'fee', 2.50)"
                    )
                }
            }
            try await test.settle()
            #expect(try await test.verify("v3_bookings", "Booking").rows == [])
            try await test.replica.write { replica in
                try replica.run("UPDATE bookings_fees SET amount = 9.99 WHERE synced_id = 1")
                try replica.run("DELETE FROM bookings_fees WHERE synced_id = 2")
                try replica.run(
                    "INSERT INTO bookings_fees (synced_id, synced_booking_id, name) VALUES (77, 1, 'invented')"
                )
            }
            let found = try await test.verify("v3_bookings", "Booking")
            #expect(
                Set(found.rows) == [
                    "stale BookingsFee 1 amount", "missing BookingsFee 2 ", "extra BookingsFee 77 ",
                ]
            )
            #expect(found.differences.allSatisfy { $0.publishedModel == "Booking" && $0.publishedID == "1" })
            _ = try await test.verifications.removeExtraRows(of: found.run)
            _ = try await test.verification().publish(topic: "v3_bookings", model: "Booking", ids: ["1"])
            try await test.settle()
            #expect(try await test.verify("v3_bookings", "Booking").rows == [])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a range is compared alone`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 30)
            try await test.replica.write { replica in
                try replica.run("DELETE FROM rentals WHERE synced_id IN (5, 15, 25)")
                try replica.run("INSERT INTO rentals (synced_id, name) VALUES (-3, 'outside'), (99, 'outside')")
            }
            let verification = try test.verification()
            let run = try await verification.start(
                topic: "v3_rentals",
                model: "Rental",
                from: "10",
                to: "20",
                on: test.broker
            )
            try await test.settle()
            let found = try await test.found(run.id)
            #expect(found.rows == ["missing Rental 15 "])
            #expect(found.run.records == 11)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `one record is compared alone`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 5)
            try await test.replica.write { replica in
                try replica.run("UPDATE rentals SET name = 'changed' WHERE synced_id IN (2, 3)")
                try replica.run("DELETE FROM rentals WHERE synced_id IN (4, 5)")
                try replica.run("INSERT INTO rentals (synced_id, name) VALUES (99, 'invented'), (100, 'invented')")
            }
            for (id, rows) in [
                ("1", []), ("3", ["stale Rental 3 name"]), ("5", ["missing Rental 5 "]), ("99", ["extra Rental 99 "]),
            ] {
                let run = try await test.verification()
                    .start(topic: "v3_rentals", model: "Rental", from: id, to: id, on: test.broker)
                #expect((run.firstKey, run.lastKey) == (id, id))
                try await test.settle()
                let found = try await test.found(run.id)
                #expect(found.rows == rows, "\(id)")
                #expect((found.run.firstKey, found.run.lastKey) == (id, id))
            }
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a cancelled run finds nothing, and another one can be started`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 4)
            try await test.replica.write { try $0.run("DELETE FROM rentals WHERE synced_id = 2") }
            let verification = try test.verification()
            let run = try await verification.start(topic: "v3_rentals", model: "Rental", on: test.broker)
            await #expect(throws: DionysusError.self) {
                _ = try await verification.start(topic: "v3_rentals", model: "Rental", on: test.broker)
            }
            _ = try await verification.pause(run.id)
            try await test.settle()
            #expect(try await verification.cancel(run.id).state == .cancelled)
            try await test.settle()
            #expect(try await test.verifications.runs(number: run.id).map(\.state) == [.cancelled])
            #expect(try await test.verify("v3_rentals", "Rental").rows == ["missing Rental 2 "])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a paused run goes on where it was`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 4)
            try await test.replica.write { try $0.run("DELETE FROM rentals WHERE synced_id = 2") }
            let verification = try test.verification()
            let run = try await verification.start(topic: "v3_rentals", model: "Rental", on: test.broker)
            _ = try await verification.pause(run.id)
            try await test.settle()
            #expect(try await test.verifications.runs().isEmpty)
            _ = try await verification.resume(run.id)
            try await test.settle()
            #expect(try await test.found(run.id).rows == ["missing Rental 2 "])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `an extra row that a newer message has written stays`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.fill(rentals: 3)
            try await test.replica.write { try $0.run("INSERT INTO rentals (synced_id, name) VALUES (9, 'invented')") }
            let found = try await test.verify("v3_rentals", "Rental")
            #expect(found.rows == ["extra Rental 9 "])
            try await test.source.write { try $0.insert(Rental.sample(9)) }
            try await test.settle()
            #expect(try await test.verifications.removeExtraRows(of: found.run) == 0)
            #expect(try await test.replica.rows("rentals").count == 4)
        }
    }
}

/// What a run has found, in a form that reads well.
private struct Findings {
    let run: ComparedRun
    let differences: [Difference]

    var rows: [String] {
        differences.map { "\($0.kind.rawValue) \($0.model) \($0.recordID) \($0.columns.joined(separator: ","))" }
    }
}

extension ReplicationTest {
    fileprivate func fill(rentals: Int) async throws {
        try await source.write { source in
            try source.insert(Account.sample())
            for id in 1...rentals { try source.insert(Rental.sample(id)) }
        }
        try await settle()
    }

    fileprivate func verification() throws -> Verification {
        Verification(database: source.database, registry: try #require(registry))
    }

    fileprivate var verifications: ConsumerVerifications { verifications(RentalMirror()) }

    fileprivate func verifications(_ consumer: some Consumer) -> ConsumerVerifications {
        var settings = ConsumerSettings()
        settings.clientID = "test"
        return ConsumerVerifications(consumer, database: replica.database, settings: settings)
    }

    fileprivate func verify(
        _ topic: String,
        _ model: String,
        by consumer: some Consumer = RentalMirror()
    ) async throws -> Findings {
        let run = try await verification().start(topic: topic, model: model, on: broker)
        try await settle()
        return try await found(run.id, by: consumer)
    }

    fileprivate func found(_ number: Int64, by consumer: some Consumer = RentalMirror()) async throws -> Findings {
        let verifications = verifications(consumer)
        let run = try #require(try await verifications.runs(number: number).first)
        #expect(run.state == .completed)
        #expect(try await verification().run(number).state == .completed)
        return Findings(run: run, differences: try await verifications.differences(of: run))
    }
}

private struct FilteringMirror: Consumer {
    var namespaces: [Namespace] {
        Namespace("v3") {
            Topic("rentals").accepting(otherwise: "hidden") { $0.data["name"] != .string("hidden") }.verified()
        }
    }
}

private struct RenamingMirror: Consumer {
    var namespaces: [Namespace] { Namespace("v3") { Topic("rentals").verified() } }
    var models: Models {
        Persist("Rental", table: "rentals").renaming("check_in_time", to: "bedrooms")
            .renaming("bedrooms", to: "check_in_time")
    }
}
