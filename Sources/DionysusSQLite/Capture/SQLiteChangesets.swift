import Dionysus

/// The changesets that triggers write.
extension SQLiteCaptureTriggers {
    func changeset(_ entries: [ChangesetEntry]) -> String {
        guard !entries.isEmpty else { return "NULL" }
        // A list of values may have as many as a table has columns, unlike a union of queries.
        let rows = entries.map { entry in
            let value = entry.values.map { "json_array(\($0.old), \($0.new))" } ?? "'null'"
            return "(\(literal(entry.column)), CASE WHEN \(entry.condition) THEN \(value) END)"
        }
        return """
            (SELECT CASE WHEN count(*) > 0 THEN json_group_object(column1, json(column2)) END
              FROM (VALUES \(rows.joined(separator: ",\n "))) WHERE column2 IS NOT NULL)
            """
    }

    /// A value as JSON takes it: bytes as hexadecimal digits, and numbers that aren't finite by name.
    ///
    /// One that is too long is null, so that no write fails because its changeset would be too large.
    func value(_ column: String, of alias: String) -> String {
        let name = "\(alias).\(quoted(column))"
        return """
            CASE typeof(\(name))
              WHEN 'blob' THEN CASE WHEN length(\(name)) <= \(Self.longest) THEN hex(\(name)) END
              WHEN 'text' THEN CASE WHEN length(\(name)) <= \(Self.longest) THEN \(name) END
              WHEN 'real' THEN CASE \(name) WHEN 9e999 THEN 'Infinity' WHEN -9e999 THEN '-Infinity' ELSE \(name) END
              ELSE \(name) END
            """
    }

    static let longest = 1_048_576

    func entries(old: String = "OLD") -> ChangesetEntries {
        let key = quoted(capture.primaryKey)
        return ChangesetEntries(
            columns: table.columns.map(\.name),
            old: old,
            new: "NEW",
            always: "1",
            isSameRecord: "OLD.\(key) IS NEW.\(key)",
            isGone: nil,
            quoted: quoted,
            value: value,
            differs: { differs([$0]) }
        )
    }
}
