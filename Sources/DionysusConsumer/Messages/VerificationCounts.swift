import Dionysus

/// How many differences a run has found.
struct VerificationCounts: Sendable {
    let model: String
    let counts: [(kind: Difference.Kind, count: Int64)]
    /// Whether all records of the model were compared.
    let isWhole: Bool

    init(_ row: Row) throws {
        model = try row.text(0) ?? ""
        counts = [
            (.missing, try row.integer(1) ?? 0), (.stale, try row.integer(2) ?? 0), (.extra, try row.integer(3) ?? 0),
            (.unreadable, try row.integer(4) ?? 0),
        ]
        isWhole = try row.integer(5) == 1
    }

    var total: Int64 { counts.reduce(0) { $0 + $1.count } }
}
