/// A record of a model that has columns but no type: its row.
package struct RowRecord: Model {
    /// The name of a column.
    package struct CodingKeys: CodingKey, Sendable {
        package let stringValue: String
        package var intValue: Int? { nil }

        package init(stringValue: String) { self.stringValue = stringValue }
        package init?(intValue: Int) { nil }
    }

    /// The row.
    package let row: Row
    private let columns: [ModelColumn]

    init(row: Row, columns: [ModelColumn]) {
        self.row = row
        self.columns = columns
    }

    package init(from decoder: any Decoder) throws {
        throw DionysusError(.typeMismatch, "a record of a model without a type can only be read from a row")
    }

    /// Encodes the columns that the row has, as properties of their kinds would be.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        var next = 0
        for column in columns {
            guard let index = row.index(of: column.name, hint: next) else { continue }
            next = index + 1
            let key = CodingKeys(stringValue: column.name)
            if let value = try row.value(index, as: column.kind) {
                try container.encode(value, forKey: key)
            } else {
                try container.encodeNil(forKey: key)
            }
        }
    }
}
