import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusTesting

@testable import Rentals

/// Runs a test with both sides of the example application.
func withRentals(
    _ database: ThrowAwayDatabase,
    producer: some Producer = BookingSync(),
    consumer: some Consumer = RentalMirror(),
    _ body: (ReplicationTest) async throws -> Void
) async throws {
    try await ReplicationTest(
        producer,
        consumer,
        on: database,
        source: { try SourceSchema.create(in: &$0) },
        replica: { try ReplicaSchema.create(in: &$0) },
        body
    )
}

extension Account {
    static func sample(_ id: Int = 1, checkIn: Int? = 15) -> Account {
        Account(id: id, name: "Acme", defaultCheckInTime: checkIn, createdAt: .sample, updatedAt: .sample)
    }
}

extension Rental {
    static func sample(_ id: Int = 2, name: String = "By the sea") -> Rental {
        Rental(
            id: id,
            accountID: 1,
            name: name,
            price: ExactDecimal("12.50") ?? 0,
            bedrooms: 2,
            ownCheckInTime: nil,
            canceledAt: nil,
            createdAt: .sample,
            updatedAt: .sample
        )
    }
}

extension Timestamp {
    static var sample: Timestamp { Timestamp("2026-05-01T10:00:00.123456Z") ?? Timestamp(microseconds: 0) }
}
