import Dionysus
import DionysusApplication

/// The text of a file for the tables of a database.
struct InitialFile {
    private let models: [InitialModel]
    private let refused: [(table: String, reason: String)]
    private let name: String
    private let address: String

    init(_ survey: DatabaseSurvey, name: String, address: String) {
        self.name = name
        let names = InitialModel.names(of: survey.published.map(\.name))
        var models = survey.published.map { InitialModel($0, named: names[$0.name] ?? $0.name) }
        for key in survey.foreignKeys {
            guard let source = models.firstIndex(where: { $0.table.name == key.table }),
                let target = models.firstIndex(where: { $0.table.name == key.target }),
                !models[source].secrets.contains(key.column)
            else { continue }
            let taken = models[source].columns.map(\.name) + models[source].belongsTo.map(\.name)
            let base = key.column.hasSuffix("_id") ? String(key.column.dropLast(3)) : "\(key.column)_record"
            let name = Self.free(base.isEmpty ? "parent" : base, taken)
            models[source].belongsTo.append((name, models[target].name, key.column))
            let plain = key.table.replacing(/[^A-Za-z0-9_]+/, with: "_")
            let others = models[target].belongsTo.map(\.name) + models[target].hasMany.map(\.name)
            let inverse = others.contains(plain) ? Self.free("\(plain)_by_\(name)", others) : plain
            models[target].hasMany.append((inverse, models[source].name, key.column))
        }
        self.models = models
        refused = survey.refused
        // An address with a user may have a password, which belongs into no file.
        self.address = address.contains("@") ? "" : address
    }

    private static func free(_ name: String, _ taken: [String]) -> String {
        let names = [name, "\(name)_record"] + (2...(taken.count + 3)).map { "\(name)_\($0)" }
        return names.first { !taken.contains($0) && $0 != "links" } ?? name
    }

    var text: String {
        var lines = [
            "# Written by `dionysus init`. Publish less: delete models, attributes and topics that others needn't see.",
            "dionysus: 1", "name: \(quoted(name))", "", "source:",
            "  database: \(variable("SOURCE_DATABASE_URL", address))", "",
            "broker:", "  seed: \(variable("DIONYSUS_SEED_BROKER", "embedded:dionysus-data/log.sqlite"))", "",
        ]
        if !refused.isEmpty {
            lines.append("# Left out:")
            lines += refused.map { "#   \($0.table.printable()): \($0.reason.printable())" }
            lines.append("")
        }
        lines.append(models.isEmpty ? "models: {}" : "models:")
        lines += models.flatMap(declaration)
        lines += ["", "namespaces:", "  v1:", "    serializers:"] + models.flatMap(serializer)
        lines += ["    topics:"] + models.flatMap(topic)
        return lines.joined(separator: "\n") + "\n"
    }

    private func variable(_ name: String, _ value: String) -> String {
        quoted(value.isEmpty || value.contains("}") ? "${\(name)}" : "${\(name):-\(value)}")
    }

    private func declaration(_ model: InitialModel) -> [String] {
        var lines = ["  \(model.name):"]
        if model.conventionalTable != model.table.name { lines.append("    table: \(quoted(model.table.name))") }
        if model.table.key != "id" { lines.append("    key: \(quoted(model.table.key))") }
        if let column = model.softDeleteColumn { lines.append("    soft_delete: \(quoted(column))") }
        if !model.secrets.isEmpty {
            lines.append("    # Looks like secrets: \(model.secrets.map { $0.printable() }.joined(separator: ", "))")
        }
        lines.append("    columns:")
        for column in model.columns {
            let isOptional = column.isNullable && column.name != model.table.key
            lines.append(
                "      \(quoted(column.name)): \(FileTypeName.text(ValueKind(of: column), isOptional: isOptional))"
            )
        }
        for (key, associations) in [("belongs_to", model.belongsTo), ("has_many", model.hasMany)]
        where !associations.isEmpty {
            lines.append("    \(key):")
            for association in associations {
                let column = quoted(association.column)
                lines.append("      \(quoted(association.name)): { model: \(association.model), column: \(column) }")
            }
        }
        return lines
    }

    private func serializer(_ model: InitialModel) -> [String] {
        var lines = ["      \(model.name):", "        attributes:"]
        lines += model.columns.map { "          - \(quoted($0.name))" }
        if !model.belongsTo.isEmpty {
            lines.append("        links: [\(model.belongsTo.map { quoted($0.name) }.joined(separator: ", "))]")
        }
        return lines
    }

    private func topic(_ model: InitialModel) -> [String] {
        let name = model.table.name.replacing(/[^A-Za-z0-9_-]+/, with: "_")
        let others = models.filter { $0.table.name.replacing(/[^A-Za-z0-9_-]+/, with: "_") == name }
        let unique = others.count > 1 ? Inflection.underscored(model.name) : name
        return [
            "      \(quoted(unique)):", "        partition_key: message_key", "        publish: [\(model.name)]",
        ]
    }

    /// A text as YAML takes it for one.
    private func quoted(_ text: String) -> String {
        let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"]
        if text.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_-]*/) != nil, !words.contains(text.lowercased()) { return text }
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped)\""
    }
}
