import Dionysus

extension ReplicaTables {
    /// Swift source with a model type for each table, for declarations such as `Persist("Rental", as: Rental.self)`.
    package var swiftSource: String {
        "import Dionysus\nimport Foundation\n\n" + tables.map(\.swiftSource).joined(separator: "\n")
    }
}

extension ReplicaTables.Table {
    fileprivate var swiftSource: String {
        let properties = columns.map { (property: $0.propertyName, column: $0) }
        var text = "/// A record of the model \(model), as the table \(name) keeps it.\n"
        text += "struct \(model.swiftIdentifier): Model {\n"
        text += "    var id: Int\n"
        for (property, column) in properties {
            text += "    var \(property.swiftIdentifier): \(column.swiftType)\(column.role == .id ? "" : "?")\n"
        }
        text += "\n    enum CodingKeys: String, CodingKey {\n        case id\n"
        for (property, column) in properties {
            let value = property == column.name ? "" : " = \"\(column.name)\""
            text += "        case \(property.swiftIdentifier)\(value)\n"
        }
        return text + "    }\n\n    static let tableName = \"\(name)\"\n}\n"
    }
}

extension ReplicaTables.Column {
    /// `synced_account_id` as `syncedAccountID`.
    fileprivate var propertyName: String {
        let words = name.split(separator: "_").map(String.init)
        let first = words.first ?? name
        return first
            + words.dropFirst()
            .map { word in
                switch word {
                case "id", "url", "uuid": word.uppercased()
                case "ids": "IDs"
                default: word.prefix(1).uppercased() + word.dropFirst()
                }
            }
            .joined()
    }

    fileprivate var swiftType: String {
        switch type {
        case .identity, .bigint, .integer, .smallint: "Int"
        case .boolean: "Bool"
        case .double: "Double"
        case .decimal, .anyDecimal: "ExactDecimal"
        case .text: "String"
        case .date: "CalendarDate"
        case .timestamp: "Timestamp"
        case .json: "JSON"
        case .uuid: "UUID"
        case .bytes: "Data"
        }
    }
}

extension String {
    /// The name as an identifier; words that Swift keeps for itself stand in backticks.
    fileprivate var swiftIdentifier: String {
        var name = String(map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "_" })
        if name.first?.isNumber ?? true { name = "_" + name }
        return Self.keywords.contains(name) ? "`\(name)`" : name
    }

    private static let keywords: Set<String> = [
        "Any", "Self", "Type", "as", "associatedtype", "break", "case", "catch", "class", "continue", "default",
        "defer",
        "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard",
        "if",
        "import", "in", "init", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup", "private",
        "protocol", "public", "repeat", "rethrows", "return", "self", "static", "struct", "subscript", "super",
        "switch",
        "throw", "throws", "true", "try", "typealias", "var", "where", "while",
    ]
}
