import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// The ways in which the same messages can reach a replica that must be the same in the end.
enum Delivery: String, CaseIterable, CustomStringConvertible {
    case inOneBatch
    case withoutTransformation
    case oneByOne

    var description: String { rawValue }

    /// A group of its own reads the messages from the start.
    var settings: ConsumerSettings {
        var settings = ConsumerSettings.forTests
        settings.groupID = rawValue
        settings.batchSize = self == .oneByOne ? 1 : 2_000
        return settings
    }

    func applied(to mirror: Mirror) -> Mirror {
        guard self == .withoutTransformation else { return mirror }
        var copy = mirror
        copy.rentals = copy.rentals.batchTransformation(nil)
        copy.bookings = copy.bookings.batchTransformation(nil)
        return copy
    }
}

extension ReplicaHarness {
    /// Deletes what was replicated, and what is remembered of it; offsets stay.
    func clear(_ tables: [String] = ["accounts", "rentals", "bookings", "bookings_fees"]) async throws {
        let tables = tables + ["dionysus_tombstones", "dionysus_failures"]
        try await database.transaction(.write) { transaction in
            _ = try transaction.run(tables.map { "DELETE FROM \(identifier: $0)" })
        }
    }

    /// Creates a table or changes one.
    func define(_ statements: SQL...) async throws {
        try await database.transaction(.write) { _ = try $0.run(statements) }
    }

    var failures: [String] {
        get async throws { try await rows("SELECT error_message FROM dionysus_failures ORDER BY id") }
    }
}

extension ReplicaHarness {
    /// How far the test's group has come in the partition that rentals are published to.
    func rentalsLag() async throws -> PartitionLag {
        let partitions = try await ConsumerLag(Mirror(), database: database, broker: broker, settings: .forTests)
            .partitions()
        return try #require(partitions.first { $0.partition == TopicPartition("v3_rentals", 0) })
    }
}

extension WireMessage {
    /// Rentals that are created, a message each.
    static func rentals(_ ids: ClosedRange<Int>) -> [WireMessage] {
        ids.map { .rental(.created, $0, name: "rental \($0)") }
    }
}

/// The rentals with their names, and with a mark if they are soft-deleted.
let rentalNames: SQL = """
    SELECT synced_id, name || CASE WHEN synced_canceled_at IS NULL THEN '' ELSE ' canceled' END
    FROM rentals ORDER BY synced_id
    """

/// Expects messages of one partition to give the same rows in whatever way they are delivered, and no failure.
func expectReplica(
    _ kind: TestDatabaseKind,
    _ messages: [WireMessage],
    gives expected: [String],
    in query: SQL = rentalNames,
    by mirror: Mirror = Mirror(),
    defining statements: [SQL] = [],
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    try await ReplicaHarness.run(kind) { replica in
        for statement in statements { try await replica.define(statement) }
        try await replica.publish(messages)
        for delivery in Delivery.allCases {
            try await replica.clear()
            try await replica.consume(delivery.applied(to: mirror), settings: delivery.settings)
            let rows = try await replica.rows(query)
            #expect(rows == expected, "\(delivery)", sourceLocation: sourceLocation)
            #expect(try await replica.failures == [], "\(delivery)", sourceLocation: sourceLocation)
        }
    }
}

/// Midnight of the first days of 2026.
let days = (1...9).map { "2026-01-0\($0)T00:00:00.000Z" }
