package import Dionysus

import struct Foundation.Data

/// An attribute that the database computes: a scalar SQL expression, evaluated with the row that it belongs to.
package struct SQLAttribute: Sendable, Hashable {
    /// Columns that an expression reads where the database can't know it, such as inside a function.
    package struct Read: Sendable, Hashable {
        /// The table; a dot separates schema and table.
        package var table: String
        package var columns: [String]

        package init(table: String, columns: [String]) {
            self.table = table
            self.columns = columns
        }
    }

    /// The name on the wire.
    package var name: String
    /// An expression, or a query of one value.
    ///
    /// The model's name in snake case stands for the record's row: `rental.name`.
    package var expression: String
    /// The type of the value; nil for the type that the database gives it.
    package var type: (any (AttributeValue & Decodable).Type)?
    /// For a decimal number: how many digits are behind the point on the wire.
    package var scale: Int?
    /// Whether there may be no value.
    package var isNullable: Bool
    /// Ways from the model to tables that the expression reads, written by hand.
    package var via: [AssociationDescription]
    /// What the expression reads besides what the database knows.
    package var reads: [Read]

    package init(
        name: String,
        expression: String,
        type: (any (AttributeValue & Decodable).Type)? = nil,
        scale: Int? = nil,
        isNullable: Bool = true,
        via: [AssociationDescription] = [],
        reads: [Read] = []
    ) {
        self.name = name
        self.expression = expression
        self.type = type
        self.scale = scale
        self.isNullable = isNullable
        self.via = via
        self.reads = reads
    }

    package static func == (lhs: SQLAttribute, rhs: SQLAttribute) -> Bool {
        lhs.name == rhs.name && lhs.expression == rhs.expression && lhs.typeID == rhs.typeID && lhs.scale == rhs.scale
            && lhs.isNullable == rhs.isNullable && lhs.via == rhs.via && lhs.reads == rhs.reads
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(expression)
    }

    /// The expression as a part of a query.
    ///
    /// A comment at its end takes nothing that follows along.
    var sql: SQL { "(\(raw: expression)\n)" }

    private var typeID: ObjectIdentifier? { type.map { ObjectIdentifier($0) } }
}

extension SerializerPlan {
    /// What the database computes for any of the variants, by the columns that hold it.
    var allSQLAttributes: [(column: String, attribute: SQLAttribute)] {
        all.flatMap { plan in zip(plan.sqlColumns, plan.sqlAttributes).map { ($0, $1) } }
    }

    /// The values of a row's record that the database has computed.
    func sqlValues(_ row: Row) -> SQLValues { SQLValues(row: row, columns: sqlColumns) }
}

/// The values of a serializer's SQL attributes for one record.
struct SQLValues {
    /// The record's row; nil for a record that didn't come from the database.
    let row: Row?
    /// The columns of the row that hold the values, in the order of the attributes.
    let columns: [String]

    /// No values, for a record that didn't come from the database.
    static let none = SQLValues(row: nil, columns: [])

    /// The value of an attribute.
    /// - Parameter place: The attribute's place among the serializer's SQL attributes.
    /// - Throws: ``DionysusError`` with code `application` if the record didn't come from the database; with code
    ///   `typeMismatch` if the value isn't of the declared type.
    func value(_ place: Int, of attribute: SQLAttribute) throws -> any AttributeValue {
        guard let row, place < columns.count else {
            throw DionysusError(
                .application,
                "the attribute \(attribute.name) is computed by the database, and this record didn't come from there",
                advice: "test the attribute with a database"
            )
        }
        let cell = row[columns[place]]
        guard !cell.isNull else {
            guard !attribute.isNullable else { return DatabaseAttribute(value: .null) }
            throw DionysusError(
                .typeMismatch,
                "the attribute \(attribute.name) is null, and is declared not to be",
                advice: "use coalesce in its SQL, or declare it nullable"
            )
        }
        guard let type = attribute.type else { return DatabaseAttribute(value: cell) }
        do {
            return try Self.decode(type, cell, attribute.name)
        } catch let error as DionysusError {
            throw DionysusError(
                error.code,
                "attribute \(attribute.name): \(error.message)",
                advice: "declare the type that its SQL gives, or cast the value"
            )
        }
    }

    private static func decode<Value: AttributeValue & Decodable>(
        _ type: Value.Type,
        _ cell: DatabaseValue,
        _ name: String
    ) throws -> any AttributeValue {
        try cell.decoded(as: type, from: name)
    }
}

/// A value as the database has it, whose type is only known when it comes.
private struct DatabaseAttribute: AttributeValue {
    let value: DatabaseValue

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch value {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .decimal(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .timestamp(let value): try container.encode(value)
        case .uuid(let value): try container.encode(value)
        case .bytes(let value): try container.encode(Data(value))
        case .json(let text): try container.encode(JSON(parsing: Array(text.utf8)))
        case .array(_, let elements): try container.encode(elements.map { DatabaseAttribute(value: $0) })
        }
    }
}
