import ArgumentParser
import Dionysus
import DionysusApplication

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compares replica and source, table by table; exit code 1 if they differ."
    )

    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<RentalsApplication>()
        let (source, replica) = (try environment.source(), try environment.replica())
        let report = try await Comparison.run(source: source, replica: replica)
        await source.close()
        await replica.close()
        print(json ? report.json.text : report.text)
        guard report.isEqual else {
            throw DionysusError(.conflict, "the replica differs from the source in \(report.differences) records")
        }
    }
}

/// Compares the replica with the source's visible records.
struct Comparison: Sendable {
    struct Table: Sendable {
        let name: String
        let source: Int
        let replica: Int
        let missing: [Int64]
        let extra: [Int64]
        let different: [Int64]
    }

    let tables: [Table]

    var differences: Int { tables.reduce(0) { $0 + $1.missing.count + $1.extra.count + $1.different.count } }
    var isEqual: Bool { differences == 0 }

    static func run(source: any Database, replica: any Database) async throws -> Comparison {
        let expected = try await source.transaction(.snapshot) { transaction in
            try queries.map { try records(transaction.run($0.source), $0.types) }
        }
        let found = try await replica.transaction(.snapshot) { transaction in
            try queries.map { try records(transaction.run($0.replica), $0.types) }
        }
        return Comparison(
            tables: zip(queries, zip(expected, found))
                .map { query, records in
                    let (expected, found) = records
                    return Table(
                        name: query.name,
                        source: expected.count,
                        replica: found.count,
                        missing: expected.keys.filter { found[$0] == nil }.sorted(),
                        extra: found.keys.filter { expected[$0] == nil }.sorted(),
                        different: expected.filter { id, values in found[id].map { $0 != values } ?? false }.keys
                            .sorted()
                    )
                }
        )
    }

    /// Values are compared in the model's types, whatever each database's format.
    private enum Kind {
        case plain
        case decimal
        case time
    }

    private struct Query: Sendable {
        let name: String
        let types: [Kind]
        let source: SQL
        let replica: SQL
    }

    private static let queries = [
        Query(
            name: "accounts",
            types: [.plain, .plain, .time, .time],
            source: "SELECT id, name, default_check_in_time, created_at, updated_at FROM accounts",
            replica: """
                SELECT synced_id, name, default_check_in_time, synced_created_at, synced_updated_at FROM accounts
                """
        ),
        Query(
            name: "rentals",
            types: [.plain, .plain, .decimal, .plain, .plain, .time, .time],
            source: """
                SELECT r.id, r.account_id, r.name, r.price, r.bedrooms,
                  coalesce(r.own_check_in_time, a.default_check_in_time), r.created_at, r.updated_at
                FROM rentals r JOIN accounts a ON a.id = r.account_id WHERE r.canceled_at IS NULL
                """,
            replica: """
                SELECT synced_id, synced_account_id, name, price, bedrooms, check_in_time, synced_created_at,
                  synced_updated_at
                FROM rentals WHERE synced_canceled_at IS NULL
                """
        ),
        Query(
            name: "bookings",
            types: [.plain, .time, .decimal, .time, .time],
            source: """
                SELECT b.id, b.rental_id, b.start_at,
                  b.base_price + coalesce((SELECT sum(f.amount) FROM bookings_fees f WHERE f.booking_id = b.id), 0),
                  b.created_at, b.updated_at
                FROM bookings b WHERE b.canceled_at IS NULL
                """,
            replica: """
                SELECT synced_id, synced_rental_id, start_at, final_price, synced_created_at, synced_updated_at
                FROM bookings WHERE synced_canceled_at IS NULL
                """
        ),
        Query(
            name: "bookings_fees",
            types: [.plain, .plain, .decimal, .time, .time],
            source: """
                SELECT f.id, f.booking_id, f.name, f.amount, f.created_at, f.updated_at
                FROM bookings_fees f JOIN bookings b ON b.id = f.booking_id WHERE b.canceled_at IS NULL
                """,
            replica: """
                SELECT f.synced_id, f.synced_booking_id, f.name, f.amount, f.synced_created_at, f.synced_updated_at
                FROM bookings_fees f
                WHERE NOT EXISTS (
                  SELECT 1 FROM bookings b WHERE b.synced_id = f.synced_booking_id AND b.synced_canceled_at IS NOT NULL
                ) AND EXISTS (SELECT 1 FROM bookings b WHERE b.synced_id = f.synced_booking_id)
                """
        ),
    ]

    private static func records(_ result: ResultSet, _ types: [Kind]) throws -> [Int64: [String]] {
        var records: [Int64: [String]] = [:]
        for row in result.rows {
            guard let id = try row.integer(0) else { continue }
            records[id] = types.enumerated().map { text(row[$0 + 1], $1) }
        }
        return records
    }

    private static func text(_ value: DatabaseValue, _ kind: Kind) -> String {
        let plain =
            switch value {
            case .null: "null"
            case .integer(let value): String(value)
            case .text(let value): value
            case .decimal(let value): value.description
            case .double(let value): "\(value)"
            case .timestamp(let value): value.description
            default: "\(value)"
            }
        switch kind {
        case .plain: return plain
        case .decimal:
            // SQLite adds binary numbers.
            if case .double(let value) = value { return ExactDecimal(value)?.rounded(toScale: 2).description ?? plain }
            return ExactDecimal(plain)?.rounded(toScale: 2).description ?? plain
        case .time:
            // In dionysus-rb's precision, whose times have 3 digits.
            return Timestamp(plain)?.iso8601(fractionDigits: 3) ?? plain
        }
    }

    var text: String {
        tableText(
            ["TABLE", "SOURCE", "REPLICA", "MISSING", "EXTRA", "DIFFERENT"],
            tables.map { table in
                [table.name] + [table.source, table.replica].map(String.init)
                    + [table.missing, table.extra, table.different].map(summary)
            }
        ) + (isEqual ? "\nthe replica equals the source" : "")
    }

    private func summary(_ ids: [Int64]) -> String {
        guard !ids.isEmpty else { return "0" }
        let shown = ids.prefix(5).map(String.init).joined(separator: ", ")
        return "\(ids.count) (\(shown)\(ids.count > 5 ? ", …" : ""))"
    }

    var json: JSON {
        let members = tables.map { table in
            JSON.Object.Member(
                table.name,
                .object([
                    "source": .integer(Int64(table.source)), "replica": .integer(Int64(table.replica)),
                    "missing": .integer(Int64(table.missing.count)), "extra": .integer(Int64(table.extra.count)),
                    "different": .integer(Int64(table.different.count)),
                    "ids": .object([
                        "missing": .array(table.missing.prefix(100).map(JSON.integer)),
                        "extra": .array(table.extra.prefix(100).map(JSON.integer)),
                        "different": .array(table.different.prefix(100).map(JSON.integer)),
                    ]),
                ])
            )
        }
        return .object(["equal": .bool(isEqual), "tables": .object(JSON.Object(members))])
    }
}
