import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// However a stream of changes is delivered, the replica is the same in the end, value for value.
///
/// The tests run one by one, so that they leave room for those that wait for something.
@Suite(.serialized) struct StreamPropertyTests {
    struct Trial: Sendable, CustomStringConvertible {
        let kind: TestDatabaseKind
        let isVersioned: Bool

        var description: String { "\(kind), \(isVersioned ? "with" : "without") versions" }

        static var all: [Trial] {
            TestDatabaseKind.available.flatMap { kind in
                [true, false].map { Trial(kind: kind, isVersioned: $0) }
            }
        }

        func stream(recreates: Bool = true) -> ChangeStream {
            ChangeStream(ChangeStream.Options(changes: 3_000, isVersioned: isVersioned, seed: 7, recreates: recreates))
        }
    }

    /// Everything in the replica but local ids and local times.
    private func contents(of replica: ReplicaHarness) async throws -> [String] {
        let common: SQL = "synced_id, synced_created_at, synced_updated_at, synced_version, CAST(synced_data AS text)"
        let queries: [SQL] = [
            "SELECT 'accounts', \(common), name, default_check_in_time FROM accounts",
            """
            SELECT 'rentals', \(common), synced_account_id, name, price, bedrooms, check_in_time, synced_canceled_at
            FROM rentals
            """,
            "SELECT 'bookings', \(common), synced_rental_id, start_at, final_price, synced_canceled_at FROM bookings",
            "SELECT 'fees', \(common), synced_booking_id, name, amount FROM bookings_fees",
        ]
        var contents: [String] = []
        for query in queries {
            let result = try await replica.database.transaction(.snapshot) { try $0.run(query) }
            contents += result.rows.map { row in row.columns.indices.map { "\(row[$0])" }.joined(separator: " ") }
                .sorted()
        }
        return contents
    }

    /// The contents of a replica that has consumed messages.
    private func contents(
        _ kind: TestDatabaseKind,
        _ messages: [WireMessage],
        batchSize: Int = 2_000,
        by mirror: Mirror = Mirror(),
        then: (ReplicaHarness) async throws -> Void = { _ in }
    ) async throws -> [String] {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(messages)
            var settings = ConsumerSettings.forTests
            settings.batchSize = batchSize
            try await replica.consume(mirror, settings: settings)
            try await then(replica)
            #expect(try await replica.failures == [])
            return try await contents(of: replica)
        }
    }

    /// Says which rows differ, rather than printing all of them.
    private func expectEqual(
        _ found: [String],
        _ expected: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let difference = found.difference(from: expected)
        #expect(
            difference.isEmpty,
            "\(difference.count) differences, such as \(difference.prefix(4).map { "\($0)" })",
            sourceLocation: sourceLocation
        )
    }

    @Test(arguments: Trial.all)
    func `what is visible in the replica is what is visible at the source`(_ trial: Trial) async throws {
        let stream = trial.stream()
        _ = try await contents(trial.kind, stream.messages) { replica in
            expectEqual(try await ChangeStream.visible(in: replica), stream.expected)
        }
        #expect(stream.expected.count > 400)
    }

    @Test(arguments: Trial.all)
    func `the size of the batches makes no difference, nor does the batch transformation`(
        _ trial: Trial
    ) async throws {
        let messages = trial.stream().messages
        let reference = try await contents(trial.kind, messages)
        expectEqual(try await contents(trial.kind, messages, batchSize: 23), reference)
        let untransformed = Delivery.withoutTransformation.applied(to: Mirror())
        expectEqual(try await contents(trial.kind, messages, by: untransformed), reference)
    }

    @Test(arguments: Trial.all)
    func `the order between keys makes no difference`(_ trial: Trial) async throws {
        let messages = trial.stream().messages
        let reference = try await contents(trial.kind, messages)
        for seed in 1...2 {
            let shuffled = messages.shuffledBetweenKeys(seed: UInt64(seed))
            #expect(shuffled.map(\.key) != messages.map(\.key))
            expectEqual(try await contents(trial.kind, shuffled, batchSize: 200), reference)
        }
    }

    @Test(arguments: Trial.all)
    func `messages that come twice in succession make no difference`(_ trial: Trial) async throws {
        let messages = trial.stream().messages
        let doubled = messages.flatMap { [$0, $0] }
        expectEqual(
            try await contents(trial.kind, doubled, batchSize: 101),
            try await contents(trial.kind, messages)
        )
    }

    @Test(arguments: Trial.all)
    func `reading the log again from zero makes no difference`(_ trial: Trial) async throws {
        let messages = trial.stream().messages
        let reference = try await contents(trial.kind, messages)
        let replayed = try await contents(trial.kind, messages) { replica in
            for batchSize in [2_000, 67] {
                try await replica.define("DELETE FROM dionysus_offsets")
                var settings = ConsumerSettings.forTests
                settings.batchSize = batchSize
                try await replica.consume(settings: settings)
            }
        }
        expectEqual(replayed, reference)
    }

    /// Without versions, a destruction that has no time of its own can't be told from a new one when it is published a
    /// second time, so such a stream must not create records again.
    @Test(arguments: Trial.all)
    func `a stream that is published twice makes no difference`(_ trial: Trial) async throws {
        let messages = trial.stream(recreates: trial.isVersioned).messages
        expectEqual(
            try await contents(trial.kind, messages + messages),
            try await contents(trial.kind, messages)
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `without versions a destruction without a time that is published again removes what was created since`(
        _ kind: TestDatabaseKind
    ) async throws {
        let messages: [WireMessage] = [
            .rental(.created, 1, name: "a", updatedAt: days[1]), .rental(.destroyed, 1),
            .rental(.created, 1, name: "again", updatedAt: days[2]),
        ]
        try await expectReplica(kind, messages, gives: ["1 again"])
        try await expectReplica(kind, messages + messages, gives: [])
        let dated = messages.map { message in
            message.value == messages[1].value ? .rental(.destroyed, 1, updatedAt: days[1]) : message
        }
        try await expectReplica(kind, dated + dated, gives: ["1 again"])
    }

    /// Two parents' messages have no order between them.
    ///
    /// What decides is the member's own time.
    @Test(arguments: TestDatabaseKind.available)
    func `without versions a member that moves has to have a later time, or the parent whose message comes last wins`(
        _ kind: TestDatabaseKind
    ) async throws {
        func booking(_ id: Int, fee updatedAt: String?) -> WireMessage {
            let fee = updatedAt.map { #"{"id":7,"updated_at":"\#($0)","links":{"booking":\#(id)}}"# } ?? ""
            let ids = updatedAt == nil ? "" : "7"
            return .event(
                "booking_updated",
                "Booking",
                #"{"id":\#(id),"links":{"bookings_fees":[\#(ids)]},"bookings_fees":[\#(fee)]}"#
            )
        }
        func result(movedAt time: String) async throws -> [String] {
            try await ReplicaHarness.run(kind) { replica in
                for message in [booking(2, fee: time), booking(1, fee: days[1]), booking(1, fee: nil)] {
                    try await replica.publish(message)
                    try await replica.consume()
                }
                return try await replica.rows("SELECT synced_booking_id FROM bookings_fees")
            }
        }
        #expect(try await result(movedAt: days[2]) == ["2"])
        #expect(try await result(movedAt: days[1]) == [])
    }
}

extension [WireMessage] {
    /// Another order, in which the messages of each key keep theirs.
    func shuffledBetweenKeys(seed: UInt64) -> [WireMessage] {
        var random = SeededGenerator(seed: seed)
        var queues = Dictionary(grouping: self, by: \.key).sorted { ($0.key ?? "") < ($1.key ?? "") }
            .map { $0.value[...] }
        return map(\.key).indices
            .compactMap { _ in
                let index = Int.random(in: queues.indices, using: &random)
                let message = queues[index].popFirst()
                if queues[index].isEmpty { queues.remove(at: index) }
                return message
            }
    }
}
