import Dionysus
import TestSupport

/// The expected last message of each record, from the source's tables.
struct FinalState {
    private struct Model: Sendable {
        let name: String
        let topic: String
        /// The path of each of the query's columns in the message.
        let fields: [Field]
        let query: SQL
    }

    private struct Field: Sendable {
        enum Kind {
            case plain
            case decimal
            case time
            case list
        }

        let path: [String]
        let kind: Kind

        init(_ path: String..., kind: Kind = .plain) {
            self.path = path
            self.kind = kind
        }
    }

    /// The query's last column is whether the record is visible.
    private static let models = [
        Model(
            name: "Account",
            topic: "v3_accounts",
            fields: [Field("name"), Field("default_check_in_time"), Field("updated_at", kind: .time)],
            query: "SELECT id, name, default_check_in_time, updated_at, 1 FROM accounts"
        ),
        Model(
            name: "Rental",
            topic: "v3_rentals",
            fields: [
                Field("name"), Field("price", kind: .decimal), Field("bedrooms"), Field("check_in_time"),
                Field("links", "account"), Field("canceled_at", kind: .time), Field("updated_at", kind: .time),
            ],
            query: """
                SELECT r.id, r.name, r.price, r.bedrooms, coalesce(r.own_check_in_time, a.default_check_in_time), r.account_id,
                  r.canceled_at, r.updated_at, CASE WHEN r.canceled_at IS NULL THEN 1 ELSE 0 END
                FROM rentals r JOIN accounts a ON a.id = r.account_id
                """
        ),
        Model(
            name: "Booking",
            topic: "v3_bookings",
            fields: [
                Field("start_at", kind: .time), Field("final_price", kind: .decimal), Field("links", "rental"),
                Field("links", "bookings_fees", kind: .list), Field("canceled_at", kind: .time),
                Field("updated_at", kind: .time),
            ],
            query: """
                SELECT b.id, b.start_at,
                  b.base_price + coalesce((SELECT sum(f.amount) FROM bookings_fees f WHERE f.booking_id = b.id), 0), b.rental_id,
                  (SELECT count(*) FROM bookings_fees f WHERE f.booking_id = b.id), b.canceled_at, b.updated_at,
                  CASE WHEN b.canceled_at IS NULL THEN 1 ELSE 0 END
                FROM bookings b
                """
        ),
    ]

    private struct Record: Sendable {
        let values: [String]
        let isVisible: Bool
    }

    /// By model and key of the message.
    private let records: [String: [String: Record]]

    init(of system: System) async throws {
        records = try await system.source.transaction(.snapshot) { transaction in
            var records: [String: [String: Record]] = [:]
            for model in Self.models {
                records[model.name] = [:]
                for row in try transaction.run(model.query).rows {
                    let values = model.fields.enumerated().map { Self.text(row[$0 + 1], $1.kind) }
                    let isVisible = try row.integer(model.fields.count + 1) == 1
                    records[model.name]?["\(model.name):\(try row.integer(0) ?? 0)"] = Record(
                        values: values,
                        isVisible: isVisible
                    )
                }
            }
            return records
        }
    }

    /// Compares each record with its most recent message.
    /// - Parameter isComplete: Whether the log holds everything that was published.
    func differences(from log: LogContent, isComplete: Bool) -> [String] {
        Self.models.flatMap { model -> [String] in
            let last = Dictionary(
                log.messages.filter { $0.topic == model.topic }.map { ($0.content.key, $0.content) },
                uniquingKeysWith: { $0.version > $1.version ? $0 : $1 }
            )
            let records = records[model.name] ?? [:]
            let different = records.filter { key, record in last[key].map { !Self.tells($0, record, model) } ?? true }
            let alive = last.filter { records[$0.key] == nil && !$0.value.event.hasSuffix("_destroyed") }
            var faults: [String] = []
            if let (key, record) = different.first {
                let told = last[key].map { "\($0.event) \(Self.values($0, model))" } ?? "no message"
                faults.append(
                    "\(different.count) records differ from their last messages: \(key) has \(record.values), published is \(told)"
                )
            }
            if isComplete, let key = alive.keys.first {
                faults.append("\(alive.count) records are gone, but were not published as destroyed, such as \(key)")
            }
            return faults
        }
    }

    /// Changes of records that have been soft-deleted are not published.
    private static func tells(_ message: PublishedMessage, _ record: Record, _ model: Model) -> Bool {
        let isDestruction = message.event.hasSuffix("_destroyed")
        return record.isVisible ? !isDestruction && values(message, model) == record.values : isDestruction
    }

    private static func values(_ message: PublishedMessage, _ model: Model) -> [String] {
        model.fields.map { field in
            text(field.path.reduce(Optional(message.payload)) { $0?[$1] } ?? .null, field.kind)
        }
    }

    private static func text(_ value: JSON, _ kind: Field.Kind) -> String {
        switch value {
        case .null: "null"
        case .integer(let value): text("\(value)", kind)
        case .number(let value), .string(let value): text(value, kind)
        case .array(let elements): "\(elements.count)"
        default: value.text
        }
    }

    private static func text(_ value: DatabaseValue, _ kind: Field.Kind) -> String {
        switch value {
        case .null: "null"
        case .integer(let value): text("\(value)", kind)
        case .text(let value): text(value, kind)
        case .decimal(let value): text(value.description, kind)
        // SQLite adds binary numbers.
        case .double(let value): text(ExactDecimal(value)?.description ?? "\(value)", kind)
        case .timestamp(let value): value.description
        default: "\(value)"
        }
    }

    /// Values are compared in the model's types, whatever each side's format.
    private static func text(_ value: String, _ kind: Field.Kind) -> String {
        switch kind {
        case .plain, .list: value
        case .decimal: ExactDecimal(value)?.rounded(toScale: 2).description ?? value
        case .time: Timestamp(value)?.description ?? value
        }
    }
}
