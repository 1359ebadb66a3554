import Dionysus
import DionysusFile

/// A table as the new file declares it.
struct InitialModel {
    let table: DatabaseSurvey.Table
    let name: String
    let columns: [ColumnDescription]
    /// Columns that look like secrets.
    let secrets: [String]
    var belongsTo: [(name: String, model: String, column: String)] = []
    var hasMany: [(name: String, model: String, column: String)] = []

    init(_ table: DatabaseSurvey.Table, named name: String) {
        self.table = table
        self.name = name
        let secrets = table.columns.map(\.name).filter { Self.looksSecret($0) && $0 != table.key }
        self.secrets = secrets
        columns = table.columns.filter { !secrets.contains($0.name) }
    }

    /// The names of models by their tables, each once.
    static func names(of tables: [String]) -> [String: String] {
        let inflection = Inflection()
        var names: [String: String] = [:]
        // Tables that are found without their schema come first.
        for table in tables.sorted(by: { !$0.contains(".") && $1.contains(".") }) {
            let parts = table.split(separator: ".").map { String($0).replacing(/[^A-Za-z0-9]+/, with: "_") }
            let own = inflection.camelized(inflection.singular(of: parts.last ?? table))
            var candidates = [own]
            if parts.count > 1 { candidates.append(inflection.camelized(parts[0]) + own) }
            candidates += (2...).prefix(tables.count + 1).map { "\(own)\($0)" }
            names[table] =
                candidates.first { candidate in
                    candidate.first?.isLetter == true && !names.values.contains(candidate)
                } ?? "Model\(names.count + 1)"
        }
        return names
    }

    /// The table of the convention, which needn't be written.
    var conventionalTable: String { Inflection().plural(of: Inflection.underscored(name)) }

    /// The column for soft deletion by its name, if it isn't the default one.
    var softDeleteColumn: String? {
        let nullable = columns.filter { $0.isNullable && !$0.isGenerated }.map(\.name)
        guard !nullable.contains("canceled_at") else { return nil }
        return ["deleted_at", "discarded_at", "archived_at", "cancelled_at"].first(where: nullable.contains)
    }

    private static func looksSecret(_ column: String) -> Bool {
        let name = column.lowercased()
        return ["password", "passwd", "secret", "token", "digest", "encrypted", "private_key", "api_key", "otp_"]
            .contains(where: name.contains) || name == "salt"
    }
}
