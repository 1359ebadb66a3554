import Dionysus

/// Finds rows of a replica that a range of the source has no records for.
struct ExtraRows {
    /// How many are noted of one range: a replica that is another's would fill the database.
    static let limit = 10_000

    let table: ReplicaTable
    let dialect: any SQLDialect

    /// Whether it is found out at the end of a run, by all of its keys, which rows are too many.
    ///
    /// Each database orders texts and UUIDs in its own way, so that only numbers can be compared range by range. Which of
    /// the others are within the bounds of a run can't be told at all.
    func comparesKeys(of marker: VerificationMarker) -> Bool {
        guard table.id.type != .integer, table.version != nil, marker.keys.from == nil else { return false }
        return marker.kind == .chunk || marker.keys.until == nil
    }

    /// The keys of a chunk, as the replica has them.
    func keys(of marker: VerificationMarker) -> [DatabaseValue] {
        marker.ids.compactMap { id in try? table.id.value(for: .string(id)) }.filter { !$0.isNull }
    }

    /// The rows that are no newer than a run, and none of its keys.
    func unnamed(version: Int64, _ isNoKey: (SQL) -> SQL) -> SQL? {
        guard let condition = condition(version: version) else { return nil }
        let id: SQL = "r.\(identifier: table.id.name)"
        let text = dialect.asText(id)
        return """
            SELECT \(text) FROM \(identifier: table.name) r
            WHERE \(id) IS NOT NULL AND \(condition) AND \(isNoKey(text)) ORDER BY \(id) LIMIT \(Self.limit)
            """
    }

    /// The rows within a range that the source has not named, and that are no newer than it was then.
    /// - Returns: nil if the replica can't tell: it has no versions, or its ids aren't numbers and the range is of several.
    func statement(_ marker: VerificationMarker) -> SQL? {
        guard let condition = condition(version: marker.version), let range = range(of: marker) else { return nil }
        let id: SQL = "r.\(identifier: table.id.name)"
        return """
            SELECT \(dialect.asText(id)) FROM \(identifier: table.name) r
            WHERE \(condition) AND \(range) ORDER BY \(id) LIMIT \(Self.limit)
            """
    }

    /// The condition that an id is in a marker's range and is none that the source has.
    private func range(of marker: VerificationMarker) -> SQL? {
        guard table.id.type == .integer else {
            // Nothing lies between a key and itself, in whatever order.
            guard let key = marker.keys.from, key == marker.keys.until, marker.keys.after == nil, marker.ids.isEmpty
            else { return nil }
            return isAny([key])
        }
        let id: SQL = "r.\(identifier: table.id.name)"
        var conditions: [SQL] = []
        for (text, sign) in [(marker.keys.after, ">"), (marker.keys.from, ">="), (marker.keys.until, "<=")] {
            guard let text else { continue }
            guard let bound = Int64(text) else { return nil }
            conditions.append("\(id) \(raw: sign) \(bound)")
        }
        let ids = marker.ids.compactMap { Int64($0) }
        guard ids.count == marker.ids.count else { return nil }
        if !ids.isEmpty {
            conditions.append("NOT \(dialect.isAny(id, of: ids.map(DatabaseValue.integer), type: .integer))")
        }
        return conditions.isEmpty ? "1 = 1" : conditions.joined(separator: " AND ")
    }

    /// Those of some rows that are still there, and no newer.
    func remaining(_ ids: [String], version: Int64?) -> SQL? {
        guard let condition = condition(version: version) else { return nil }
        let id: SQL = "r.\(identifier: table.id.name)"
        return """
            SELECT \(dialect.asText(id)) FROM \(identifier: table.name) r
            WHERE \(isAny(ids)) AND \(condition)
            """
    }

    /// Removes rows that are still there, and no newer.
    func removal(_ ids: [String], version: Int64?) -> SQL? {
        guard let condition = condition(version: version) else { return nil }
        return "DELETE FROM \(identifier: table.name) AS r WHERE \(isAny(ids)) AND \(condition)"
    }

    private func isAny(_ ids: [String]) -> SQL {
        let values = ids.compactMap { id in try? table.id.value(for: .string(id)) }
        return dialect.isAny("r.\(identifier: table.id.name)", of: values, type: table.id.type)
    }

    /// Soft-deleted rows may outlive their records.
    private func condition(version limit: Int64?) -> SQL? {
        guard let version = table.version else { return nil }
        let name: SQL = "r.\(identifier: version.name)"
        let isOld: SQL = limit.map { "(\(name) IS NULL OR \(name) <= \($0))" } ?? "\(name) IS NULL"
        guard let canceledAt = table.canceledAt else { return isOld }
        return "\(isOld) AND r.\(identifier: canceledAt.name) IS NULL"
    }
}
