package import Dionysus

/// A difference between a replica and its source that a verification has found.
package struct Difference: Sendable, Hashable {
    /// What differs.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The source has the record, and the replica no row.
        case missing
        /// Columns of the row have other values than the record.
        case stale
        /// The replica has a row, and the source no record.
        case extra
        /// The record's message can't be read, so that its row could not be compared.
        case unreadable
    }

    /// The number by which it is found.
    package let id: Int64
    /// What differs.
    package let kind: Kind
    /// The model that the row's table keeps, by its name on the wire.
    package let model: String
    /// The row's id.
    package let recordID: String
    /// The model of the record that the row is published with: its own, or the one that it is a part of.
    package let publishedModel: String
    /// The id of that record.
    package let publishedID: String
    /// The columns that differ; empty but for stale rows.
    package let columns: [String]
    /// How recent what the row was compared with is.
    package let version: Int64?
    /// When it was found.
    package let foundAt: Timestamp
    /// When a repair has removed the row, or had it published again; nil if none has.
    package let repairedAt: Timestamp?
}

extension Difference {
    /// The columns in the order in which ``init(_:)`` reads them.
    static let columns =
        "id, kind, model, record_id, published_model, published_id, columns, version, found_at, repaired_at"

    init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        kind = try row.text(1).flatMap(Kind.init(rawValue:)) ?? .unreadable
        model = try row.text(2) ?? ""
        recordID = try row.text(3) ?? ""
        publishedModel = try row.text(4) ?? ""
        publishedID = try row.text(5) ?? ""
        let text = try row.text(6) ?? "[]"
        if case .array(let names)? = try? JSON(parsing: Array(text.utf8)) {
            columns = names.compactMap { if case .string(let name) = $0 { name } else { nil } }
        } else {
            columns = []
        }
        version = try row.integer(7)
        foundAt = try row.timestamp(8) ?? .now
        repairedAt = try row.timestamp(9)
    }
}
