import Dionysus
import DionysusProducer
import Dispatch
import Synchronization
import TestSupport
import Testing

/// Histories that break simpler designs.
@Suite(.timeLimit(.minutes(10))) struct HistoryTests {
    private static let fees: SQL =
        "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'tax', 3), (2, 1, 'cleaning', 4)"

    @Test(
        "two transactions that change parts of one aggregate publish both changes, whichever is committed first",
        .enabled(if: TestDatabaseKind.available.contains(.postgres), "needs PostgreSQL"),
        arguments: [[0, 1], [1, 0]]
    )
    func parts(_ order: [Int]) async throws {
        try await ProducerHarness.run(.postgres) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental, CaptureTests.booking, Self.fees)
            try await harness.settle()
            // A lease is a transaction that stays open.
            var sessions: [any Lease] = []
            for (id, amount) in [(1, 30), (2, 40)] {
                let change = LeasedResource(
                    name: "fee-\(id)",
                    lockingQuery: "UPDATE bookings_fees SET amount = \(amount) WHERE id = \(id) RETURNING id"
                )
                sessions.append(try #require(await harness.database.lease(change, idleTimeout: .seconds(60))))
            }
            for index in order {
                try await sessions[index].release { _ in }
                try await harness.relay()
            }
            let messages = try await harness.messages(in: "v3_bookings")
            #expect(messages.map(\.key) == ["Booking:1", "Booking:1"])
            #expect(messages.last?.payload["final_price"] == .string("80.00"))
            #expect(messages.map(\.version) == messages.map(\.version).sorted())
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "a record that moves to another partition key while a relay publishes it waits for that relay",
        arguments: TestDatabaseKind.available
    )
    func moveBetweenClaims(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name) VALUES (2, 1, 'Casa')",
                CaptureTests.booking
            )
            try await harness.relay()
            try await harness.write("UPDATE bookings SET base_price = 11")
            let (sending, sends) = AsyncStream.makeStream(of: Void.self)
            let (goingOn, goOn) = AsyncStream.makeStream(of: Void.self)
            let slow = RefusingBroker(base: harness.broker, refusal: { _ in nil }) {
                sends.yield()
                for await _ in goingOn { break }
            }
            let first = try await harness.pipeline(broker: slow)
            let second = try await harness.pipeline()
            async let publishing: Void = first.publishAllLanes()
            for await _ in sending { break }
            // The first relay has claimed the old row and waits for the broker; now the booking moves.
            try await harness.write("UPDATE bookings SET rental_id = 2")
            try await second.publishAllLanes()
            #expect(try await harness.messages(in: "v3_bookings").count == 1)
            goOn.finish()
            try await publishing
            try await second.publishAllLanes()
            let messages = try await harness.messages(in: "v3_bookings").sorted { $0.version < $1.version }
            #expect(messages.count == 3)
            #expect(messages.last?.payload["links"]?["rental"] == .integer(2))
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "a record that is deleted and created again under another partition key is published as it is now",
        arguments: TestDatabaseKind.available
    )
    func recreatedElsewhere(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                "INSERT INTO accounts (id, name) VALUES (2, 'Second')",
                CaptureTests.rental,
                "DELETE FROM rentals",
                "INSERT INTO rentals (id, account_id, name) VALUES (1, 2, 'again')"
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(messages.count == 3)
            #expect(!messages.contains { $0.event == "rental_destroyed" })
            #expect(messages.allSatisfy { $0.payload["name"] == .string("again") })
        }
    }

    @Test(
        "an aggregate whose parts change between the statements that load it is never torn",
        arguments: TestDatabaseKind.available
    )
    func tornAggregate(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                CaptureTests.booking,
                "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'tax', 3)"
            )
            try await harness.settle()
            try await harness.write("UPDATE bookings SET base_price = 11")
            let changes = Mutex(0)
            let watched = WatchedDatabase(harness.database) { statement in
                // Between the statement that reads bookings and the one that reads their fees.
                guard statement.contains("AS dionysus_source"), statement.contains("bookings_fees"),
                    changes.withLock({
                        $0 += 1; return $0 == 1
                    })
                else { return }
                let isDone = DispatchSemaphore(value: 0)
                Task {
                    _ = try await harness.database.transaction(.write) { transaction in
                        try transaction.run([
                            "UPDATE bookings SET base_price = 20", "UPDATE bookings_fees SET amount = 5",
                        ])
                    }
                    isDone.signal()
                }
                isDone.wait()
            }
            try await harness.pipeline(database: watched).publishAllLanes()
            #expect(changes.withLock(\.self) > 0)
            try await harness.relay()
            let prices = try await harness.messages(in: "v3_bookings").compactMap { $0.payload["final_price"] }
            #expect(prices.first == .string("14.00"))
            #expect(prices.last == .string("25.00"))
            #expect(prices.allSatisfy { [.string("14.00"), .string("25.00")].contains($0) })
        }
    }

    @Test(
        "a relay that loses its lane after sending publishes the records again, so that their last message is current",
        .enabled(if: TestDatabaseKind.available.contains(.postgres), "needs PostgreSQL")
    )
    func lostLane() async throws {
        try await ProducerHarness.run(.postgres) { harness in
            try await harness.write(CaptureTests.account)
            let isFirst = Mutex(true)
            let broker = RefusingBroker(base: harness.broker, refusal: { _ in nil }) {
                guard
                    isFirst.withLock({ first in
                        defer { first = false }; return first
                    })
                else { return }
                // The server ends what is idle in a transaction: the lane's session.
                _ = try? await harness.database.transaction(.write) { transaction in
                    try transaction.run(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND state = 'idle in transaction'
                        """
                    )
                }
            }
            var other = harness
            other.broker = broker
            try await other.relay()
            let messages = try await harness.messages(in: "v3_accounts")
            // Sent by the relay that lost its lane, sent again for the same row, and for the fresh one.
            #expect(messages.count == 3)
            #expect(messages.map(\.version) == messages.map(\.version).sorted())
            #expect(try await harness.pending() == [])
            let count = try await harness.value("SELECT count(*) FROM dionysus_outboxes")
            #expect(count == .integer(2))
        }
    }
}
