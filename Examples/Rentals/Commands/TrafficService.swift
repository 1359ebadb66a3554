import Dionysus
import ServiceLifecycle
import Synchronization

/// Makes a mix of every kind of change at a given rate.
final class TrafficService: Service {
    private let source: any Database
    private let rate: Int
    private let duration: Duration
    private let seed: UInt64
    private let count = Mutex(0)

    init(source: any Database, rate: Int, duration: Duration, seed: UInt64) {
        self.source = source
        self.rate = rate
        self.duration = duration
        self.seed = seed
    }

    /// The number of changes made.
    var made: Int { count.withLock(\.self) }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.changeUntilTheEnd() }
    }

    private func changeUntilTheEnd() async {
        var random = SplitMix(seed: seed)
        let clock = ContinuousClock()
        let start = clock.now
        var due = start
        while !Task.isCancelled, clock.now - start < duration {
            do {
                try await change(&random)
                count.withLock { $0 += 1 }
            } catch let error as DionysusError {
                // Another writer was faster: the record is gone, or still has dependent records.
                guard error.code == .constraint || error.isRetriable else { return }
            } catch {
                return
            }
            due += .seconds(1) / rate
            do { try await clock.sleep(until: due) } catch { return }
        }
    }

    private func change(_ random: inout SplitMix) async throws {
        let kind = random.next(in: 0...99)
        let values = SplitMix(seed: random.next())
        try await source.transaction(.write) { transaction in
            var values = values
            try Self.change(kind, &values, &transaction)
        }
    }

    private struct Rollback: Error {}

    private static func change(_ kind: Int, _ random: inout SplitMix, _ transaction: inout Transaction) throws {
        let now = transaction.dialect.now
        let rental = try any("rentals", &random, &transaction)
        let booking = try any("bookings", &random, &transaction)
        let fee = try any("bookings_fees", &random, &transaction)
        let account = try any("accounts", &random, &transaction)
        let price = random.price(upTo: 500_00)
        let number = random.next(in: 10...18)
        switch kind {
        case 0..<25:
            try transaction.run("UPDATE rentals SET price = \(price), updated_at = \(now) WHERE id = \(rental)")
        case 25..<35:
            guard !account.isNull else { return }
            try transaction.run(
                "INSERT INTO rentals (account_id, name, price) VALUES (\(account), \("Rental \(number)"), \(price))"
            )
        case 35..<47:
            guard !rental.isNull else { return }
            try transaction.run(
                "INSERT INTO bookings (rental_id, start_at, base_price) VALUES (\(rental), \(random.day()), \(price))"
            )
        case 47..<60:
            guard !booking.isNull else { return }
            try transaction.run(
                "INSERT INTO bookings_fees (booking_id, name, amount) VALUES (\(booking), \("Fee \(number)"), \(price))"
            )
        case 60..<68:
            try transaction.run("UPDATE bookings_fees SET amount = \(price), updated_at = \(now) WHERE id = \(fee)")
        case 68..<73:
            guard !booking.isNull else { return }
            try transaction.run(
                "UPDATE bookings_fees SET booking_id = \(booking), updated_at = \(now) WHERE id = \(fee)"
            )
        case 73..<77: try transaction.run("DELETE FROM bookings_fees WHERE id = \(fee)")
        case 77..<81:
            try transaction.run("UPDATE rentals SET canceled_at = \(now), updated_at = \(now) WHERE id = \(rental)")
        case 81..<84:
            try transaction.run("UPDATE rentals SET canceled_at = NULL, updated_at = \(now) WHERE id = \(rental)")
        case 84..<87:
            try transaction.run("UPDATE bookings SET canceled_at = \(now), updated_at = \(now) WHERE id = \(booking)")
        case 87..<89:
            try transaction.run("DELETE FROM bookings_fees WHERE booking_id = \(booking)")
            try transaction.run("DELETE FROM bookings WHERE id = \(booking)")
        case 89..<91:
            try transaction.run(
                "UPDATE accounts SET default_check_in_time = \(number), updated_at = \(now) WHERE id = \(account)"
            )
        case 91..<93:
            guard !account.isNull else { return }
            try transaction.run("UPDATE rentals SET account_id = \(account), updated_at = \(now) WHERE id = \(rental)")
        case 93: try transaction.run("INSERT INTO accounts (name, default_check_in_time) VALUES ('New', \(number))")
        case 94:
            try transaction.run(
                "UPDATE bookings SET base_price = base_price + 1, updated_at = \(now) WHERE rental_id = \(rental)"
            )
        case 95:
            try transaction.run(
                "DELETE FROM rentals WHERE id = \(rental) AND id NOT IN (SELECT rental_id FROM bookings)"
            )
        case 96..<98:
            do {
                try transaction.savepoint { inner in
                    try inner.run("UPDATE rentals SET name = 'undone' WHERE id = \(rental)")
                    throw Rollback()
                }
            } catch is Rollback {
                try transaction.run("UPDATE rentals SET name = \("Kept \(number)") WHERE id = \(rental)")
            }
        default:
            try transaction.run("UPDATE rentals SET bedrooms = \(random.next(in: 1...6)) WHERE id = \(rental)")
        }
    }

    /// The id of some record, or null if there is none.
    private static func any(
        _ table: String,
        _ random: inout SplitMix,
        _ transaction: inout Transaction
    ) throws -> DatabaseValue {
        let share = Double(random.next(in: 0...999_999)) / 1_000_000
        let row =
            try transaction.run(
                """
                SELECT id FROM \(identifier: table)
                WHERE id >= (SELECT CAST(max(id) * \(share) AS bigint) FROM \(identifier: table)) ORDER BY id LIMIT 1
                """
            )
            .first
        return row?[0] ?? .null
    }
}
