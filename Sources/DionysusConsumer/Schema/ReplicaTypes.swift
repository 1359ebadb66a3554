import Dionysus
import DionysusSchemas

extension ReplicaTables {
    /// Swift source with a model type for each table, for declarations such as `Persist("Rental", as: Rental.self)`.
    package var swiftSource: String {
        "import Dionysus\nimport Foundation\n\n" + tables.map(\.swiftSource).joined(separator: "\n")
    }
}

extension ReplicaTables.Table {
    fileprivate var swiftSource: String {
        let properties = columns.map { (property: $0.name.swiftPropertyName, column: $0) }
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
