import ArgumentParser
import Dionysus
import DionysusApplication

struct SeedOptions: ParsableArguments {
    @Option(help: "Accounts to add.") var accounts = 10
    @Option(help: "Rentals to add.") var rentals = 200
    @Option(help: "Bookings to add.") var bookings = 1_000
    @Option(help: "Fees to add.") var fees = 2_000
    @Option(help: "The same seed gives the same data.") var seed: UInt64 = 1

    func validate() throws {
        guard [accounts, rentals, bookings, fees].allSatisfy({ $0 >= 0 }) else {
            throw ValidationError("Numbers of records can't be negative.")
        }
        guard rentals == 0 || accounts > 0, bookings == 0 || rentals > 0, fees == 0 || bookings > 0 else {
            throw ValidationError("Rentals need accounts, bookings need rentals, and fees need bookings.")
        }
    }
}

struct SeedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seed",
        abstract: "Adds deterministic data to the source, in bulk."
    )

    @OptionGroup var options: SeedOptions

    func run() async throws {
        let environment = try ApplicationEnvironment<RentalsApplication>()
        let source = try environment.source()
        try await Seeder(options).run(source)
        await source.close()
        print(
            "added \(options.accounts) accounts, \(options.rentals) rentals, \(options.bookings) bookings, \(options.fees) fees"
        )
    }
}

/// Inserts records into each table, one statement per chunk.
struct Seeder: Sendable {
    private let options: SeedOptions

    init(_ options: SeedOptions) { self.options = options }

    func run(_ source: any Database) async throws {
        var random = SplitMix(seed: options.seed)
        let accounts = try await insert(
            "accounts",
            into: source,
            count: options.accounts,
            [
                ("name", .text, { .text("Account \($0)") }),
                ("default_check_in_time", .integer, { _ in .integer(Int64(random.next(in: 10...18))) }),
            ]
        )
        let rentals = try await insert(
            "rentals",
            into: source,
            count: options.rentals,
            [
                ("account_id", .integer, { _ in random.element(of: accounts) }),
                ("name", .text, { .text("Rental \($0)") }),
                ("price", .decimal, { _ in .decimal(random.price(upTo: 500_00)) }),
                ("bedrooms", .integer, { _ in .integer(Int64(random.next(in: 1...6))) }),
                (
                    "own_check_in_time", .integer,
                    { _ in random.chance(1, of: 3) ? .integer(Int64(random.next(in: 10...18))) : .null }
                ),
            ]
        )
        let bookings = try await insert(
            "bookings",
            into: source,
            count: options.bookings,
            [
                ("rental_id", .integer, { _ in random.element(of: rentals) }),
                ("start_at", .timestamp, { _ in .timestamp(random.day()) }),
                ("base_price", .decimal, { _ in .decimal(random.price(upTo: 2_000_00)) }),
            ]
        )
        _ = try await insert(
            "bookings_fees",
            into: source,
            count: options.fees,
            [
                ("booking_id", .integer, { _ in random.element(of: bookings) }),
                ("name", .text, { .text("Fee \($0)") }),
                ("amount", .decimal, { _ in .decimal(random.price(upTo: 100_00)) }),
            ]
        )
    }

    private typealias Generator = (name: String, type: DatabaseType, value: (Int) -> DatabaseValue)

    /// Returns the new ids.
    private func insert(
        _ table: String,
        into source: any Database,
        count: Int,
        _ columns: [Generator]
    ) async throws -> [DatabaseValue] {
        var ids: [DatabaseValue] = []
        for start in stride(from: 0, to: count, by: 5_000) {
            let range = start..<min(start + 5_000, count)
            let bulk = columns.map { column in
                BulkColumn(column.name, column.type, range.map { column.value($0 + 1) })
            }
            let names = SQL(raw: columns.map(\.name).joined(separator: ", "))
            ids += try await source.transaction(.write) { transaction in
                let rows = transaction.dialect.rows(bulk, alias: "seed")
                let inserted = try transaction.run(
                    "INSERT INTO \(identifier: table) (\(names)) SELECT \(names) FROM \(rows) RETURNING id"
                )
                return inserted.rows.map { $0[0] }
            }
        }
        return ids
    }
}

/// A small, deterministic random number generator.
struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func next(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func chance(_ part: Int, of whole: Int) -> Bool { next(in: 1...whole) <= part }

    mutating func element(of values: [DatabaseValue]) -> DatabaseValue {
        values.isEmpty ? .null : values[next(in: 0...(values.count - 1))]
    }

    /// An amount with two decimal places.
    mutating func price(upTo cents: Int) -> ExactDecimal {
        ExactDecimal(unscaled: Int128(next(in: 0...cents)), scale: 2)
    }

    /// A day of 2027, at three in the afternoon.
    mutating func day() -> Timestamp {
        Timestamp(microseconds: (1_798_761_600 + Int64(next(in: 0...364)) * 86_400 + 54_000) * 1_000_000)
    }
}
