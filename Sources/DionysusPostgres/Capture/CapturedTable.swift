/// A table that capture reads, as the catalogue has it, and the expressions that read its rows.
///
/// Trigger functions run with their owner's rights, and the owner of a table decides of what types its columns are. A
/// cast, an operator or a conversion to JSON may be that owner's own function. So a function reads a column in three
/// ways only, none of which runs such code even if the column's type changes later: it asks whether the value is null,
/// takes the text that the type's output function gives (`concat`), and compares images of rows (`*<>`).
struct CapturedTable {
    /// A column.
    struct Column: Equatable {
        let name: String
        /// The column's type, quoted and with its schema.
        let type: String
        /// The type's number, if it is PostgreSQL's own: other types have another one in each database.
        let typeNumber: Int64?
        /// The type's name, as `format_type` gives it where only PostgreSQL's own types are found without their schema.
        let typeName: String
        /// The type under a domain, as SQL names it, if it is PostgreSQL's own.
        let builtInType: String?
    }

    /// A table whose triggers capture: the table itself, a partition, or a table that inherits from it.
    struct Relation: Equatable {
        let oid: Int64
        /// The name, quoted and with its schema.
        let name: String
        /// The name for messages, without the schema where the search path finds it.
        let displayName: String
    }

    let oid: Int64
    let schema: String
    /// The name without its schema.
    let baseName: String
    /// The name, quoted and with its schema.
    let name: String
    /// `r` for a table, `p` for a partitioned one.
    let kind: String
    let owner: Int64
    let hasRowSecurity: Bool
    let columns: [Column]
    let primaryKey: [String]
    /// Partitions and tables that inherit from this one, at any depth.
    let children: [Relation]

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// A column of a row under an alias.
    static func value(_ column: String, _ alias: String) -> String { "\(alias).\(quotedName(column))" }

    /// A column's value as text, or null.
    func text(_ column: String, _ alias: String) -> String {
        "(CASE WHEN NOT (\(Self.value(column, alias)) IS NULL) THEN \(textOrEmpty(column, alias)) END)"
    }

    /// A column's value as text; an empty one for null.
    ///
    /// It is what a cast to text gives, which the relay reads.
    func textOrEmpty(_ column: String, _ alias: String) -> String {
        let output = "pg_catalog.concat(\(Self.value(column, alias)))"
        let text: String? =
            switch self.column(column)?.builtInType {
            case "boolean": "(CASE \(output) WHEN 't' THEN 'true' WHEN 'f' THEN 'false' ELSE '' END)"
            case "inet": "coalesce(nullif(\(output), '')::inet::text, '')"
            case let type? where type.hasPrefix("character(") || type == "character" || type == "bpchar":
                "pg_catalog.rtrim(\(output), ' ')"
            default: nil
            }
        return text.map { "(CASE WHEN \(hasItsType(column, alias)) THEN \($0) ELSE \(output) END)" } ?? output
    }

    /// Whether a column's text is what its type's output function gives, without anything that is looked up.
    func isReadAsItIs(_ column: String) -> Bool { !textOrEmpty(column, "row").contains("CASE") }

    /// A condition: the column has the type that it had when capture was installed.
    ///
    /// A text is read as a type only where it holds: the texts of another type may not be readable.
    private func hasItsType(_ column: String, _ alias: String) -> String {
        let type = "pg_catalog.pg_typeof(\(Self.value(column, alias)))::pg_catalog.oid"
        return self.column(column).map { Self.isType($0, type) } ?? "false"
    }

    /// A condition: the type of a number is a column's.
    static func isType(_ column: Column, _ number: String) -> String {
        column.typeNumber.map { "\(number) = \($0)" }
            ?? "pg_catalog.format_type(\(number), NULL) = \(quotedLiteral(column.typeName))"
    }

    /// A column's value as a document: a number, a list or an object where the type has those in JSON, or its text.
    ///
    /// A value that the outbox's column can't hold must not make the write fail. One whose text is too long is null: a
    /// document has an end, at 256 MB. A document with characters, numbers or a depth that `jsonb` refuses is its text.
    func document(_ column: String, _ alias: String) -> String {
        let text = text(column, alias)
        guard let type = self.column(column)?.builtInType else {
            return Self.short(text, "pg_catalog.to_jsonb(\(text))")
        }
        guard Self.isReadFromText(type) else {
            return Self.isShort(type)
                ? "pg_catalog.to_jsonb(\(text))" : Self.short(text, "pg_catalog.to_jsonb(\(text))")
        }
        let parsed = "pg_catalog.to_jsonb(\(text)::\(Self.withoutModifier(type)))"
        let isReadable = hasItsType(column, alias) + (type == "json" ? " AND \(Self.fitsBinaryForm(text))" : "")
        let value = "CASE WHEN \(isReadable) THEN \(parsed) ELSE pg_catalog.to_jsonb(\(text)) END"
        return Self.isShort(type) ? "(\(value))" : Self.short(text, value)
    }

    private static let longest = 1_048_576

    private static func short(_ text: String, _ value: String) -> String {
        "(CASE WHEN pg_catalog.octet_length(\(text)) <= \(longest) THEN \(value) END)"
    }

    /// A condition: `jsonb` can hold what `json` does, as far as patterns can show that.
    private static func fitsBinaryForm(_ document: String) -> String {
        let characters = #"\#(document) !~ E'\\\\u(0000|[dD][89a-fA-F])'"#
        let numbers = "\(document) !~ '[0-9.][eE][-+]?[0-9]{4}|[0-9]{250}'"
        let brackets = "pg_catalog.translate(\(document), '[{', '')"
        let depth = "pg_catalog.length(\(document)) - pg_catalog.length(\(brackets)) <= 1000"
        return "\(characters) AND \(numbers) AND \(depth)"
    }

    /// Types whose texts are never long.
    private static func isShort(_ type: String) -> Bool {
        let listed = ["smallint", "integer", "bigint", "real", "double precision", "boolean", "date", "uuid"]
        return listed.contains(type) || type.hasPrefix("timestamp")
    }

    /// A type without a length or a number of digits, which the column may have been given another of.
    static func withoutModifier(_ type: String) -> String {
        var name = type
        if let start = type.firstIndex(of: "("), let end = type[start...].firstIndex(of: ")") {
            name.removeSubrange(start...end)
        }
        for (short, long) in [("character", "bpchar"), ("bit", "varbit")] where name == short || name == "\(short)[]" {
            name = name.replacing(short, with: long)
        }
        return name
    }

    /// A condition: some of the columns differ between the row as it was and as it is.
    ///
    /// The cast keeps PostgreSQL from comparing column by column, by the operators of their types.
    func differ(_ columns: [String], _ old: String, _ new: String) -> String {
        func row(_ alias: String) -> String {
            "ROW(\(columns.map { Self.value($0, alias) }.joined(separator: ", ")))::pg_catalog.record"
        }
        return "(\(row(old)) OPERATOR(pg_catalog.*<>) \(row(new)))"
    }

    /// Whether a value's text depends on the settings of the session that writes, such as its time zone.
    func textDependsOnSettings(_ column: String) -> Bool {
        guard let type = self.column(column)?.builtInType else { return true }
        let independent = ["smallint", "integer", "bigint", "uuid", "boolean", "text", "character", "numeric", "name"]
        return !independent.contains { type == $0 || type.hasPrefix("\($0)(") || type.hasPrefix("\($0) varying") }
    }

    /// Types whose JSON is not a string, or not the text that their output function gives.
    ///
    /// The text of other types is their JSON already, and some can't read it again: names of functions that are overloaded
    /// or in a schema that the functions' owner may not use.
    private static func isReadFromText(_ type: String) -> Bool {
        if type.hasSuffix("[]") {
            return !["reg", "aclitem", "json", "xml", "money"].contains { type.hasPrefix($0) } || type == "jsonb[]"
        }
        let listed = [
            "smallint", "integer", "bigint", "real", "double precision", "numeric", "boolean", "date", "json", "jsonb",
        ]
        return listed.contains(type) || type.hasPrefix("numeric(") || type.hasPrefix("timestamp")
    }
}

/// A quoted name; a dot is a part of it.
func quotedName(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

/// A literal that doesn't depend on `standard_conforming_strings`.
func quotedLiteral(_ text: String) -> String {
    let quoted = "'" + text.replacing("'", with: "''") + "'"
    return text.contains("\\") ? "E" + quoted.replacing("\\", with: "\\\\") : quoted
}
