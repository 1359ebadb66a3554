package import Dionysus
package import DionysusSchemas

/// The tables that a replica needs for what a contract publishes.
package struct ReplicaTables: Sendable {
    /// A table for the records of one model.
    package struct Table: Sendable {
        /// The model's name on the wire.
        package let model: String
        package let name: String
        /// The columns, without the local key and the times of the row itself.
        package private(set) var columns: [Column]
        /// The names of the columns with the times of the row itself.
        package let localTimes: [String]

        fileprivate init(model: String, _ place: Place) {
            self.model = model
            name = place.table
            columns = []
            localTimes = [place.names.localCreatedAt, place.names.localUpdatedAt]
        }

        fileprivate mutating func add(_ more: [Column], of topic: String) throws {
            for column in more {
                guard let earlier = columns.first(where: { $0.name == column.name }) else {
                    columns.append(column)
                    continue
                }
                guard earlier.type == column.type else {
                    throw DionysusError(
                        .declaration,
                        "table \(name) can't hold what the topic \(topic) and others publish: column \(column.name) would "
                            + "be of two types",
                        advice: "keep the topics in different tables: declare Persist in the namespace of each"
                    )
                }
            }
        }
    }

    /// A column and what it is filled from.
    package struct Column: Sendable, Hashable {
        package let name: String
        package let type: ColumnType
        /// What it is for.
        package let role: Role
    }

    /// What a column is for.
    package enum Role: Sendable, Hashable {
        /// The record's id at the source, which is unique.
        case id
        /// The id of another record, by which records are found.
        case reference
        case value
    }

    /// Where the records of a model are kept.
    struct Place: Sendable {
        let table: String
        /// The names of the columns that the consumer fills.
        let names: ReplicaColumnNames
        /// The columns of attributes, where they have other names.
        let renamings: [String: String]
        /// Whether destroyed records stay, marked by a column.
        let softDeletes: Bool
    }

    /// The tables, by name.
    package let tables: [Table]

    /// The tables of the convention: every model has one that is named by its plural.
    /// - Parameters:
    ///   - topics: The full names of the topics that are kept; nil for all.
    ///   - settings: The consumer's settings.
    /// - Throws: As ``init(for:settings:place:)``.
    package init(for contract: Contract, topics: Set<String>?, settings: ConsumerSettings) throws {
        try self.init(for: contract, settings: settings) { topic, model in
            guard topics?.contains(topic) ?? true else { return nil }
            let inflection = settings.inflection
            return Place(
                table: inflection.plural(of: inflection.underscored(model)),
                names: settings.columns,
                renamings: [:],
                softDeletes: settings.softDeletes
            )
        }
    }

    /// Works out the tables.
    /// - Parameters:
    ///   - settings: The consumer's settings.
    ///   - place: Where a topic's model is kept; nil if it isn't kept in a table.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` if two topics publish one model in ways that one table
    ///   can't hold.
    init(
        for contract: Contract,
        settings: ConsumerSettings,
        place: (_ topic: String, _ model: String) -> Place?
    ) throws {
        let keys = contract.keyTypes
        var tables: [String: Table] = [:]
        for topic in contract.topics {
            for model in topic.models.flatMap(\.withParts) {
                guard let place = place(topic.name, model.name) else { continue }
                let columns =
                    Self.columns(of: model, keys: keys, place, settings.inflection) + Self.systemColumns(place.names)
                var table = tables[place.table] ?? Table(model: model.name, place)
                try table.add(columns, of: topic.name)
                tables[place.table] = table
            }
        }
        self.tables = tables.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func columns(
        of model: Contract.Model,
        keys: [String: ContractType],
        _ place: Place,
        _ inflection: Inflection
    ) -> [Column] {
        let names = place.names
        let reserved = ["id", "created_at", "updated_at", "canceled_at"]
        var columns = [Column(name: names.id, type: model.key.type.columnType, role: .id)]
        columns += model.attributes.filter { !reserved.contains($0.name) }
            .map { Column(name: place.renamings[$0.name] ?? $0.name, type: $0.value.columnType, role: .value) }
        for link in model.links {
            let name = names.prefix + (link.isToMany ? inflection.singular(of: link.name) : link.name)
            if link.isToMany {
                columns.append(Column(name: name + "_ids", type: .json, role: .value))
                continue
            }
            // Where it isn't known, ids may be of any type.
            let type = link.idType(keys)?.columnType ?? .text
            columns.append(Column(name: name + "_id", type: type, role: .reference))
            if link.models.count > 1 { columns.append(Column(name: name + "_type", type: .text, role: .value)) }
        }
        if place.softDeletes || model.attributes.contains(where: { $0.name == "canceled_at" }) {
            columns.append(Column(name: names.canceledAt, type: .timestamp, role: .value))
        }
        return columns
    }

    /// The columns that each table has.
    private static func systemColumns(_ names: ReplicaColumnNames) -> [Column] {
        [
            Column(name: names.createdAt, type: .timestamp, role: .value),
            Column(name: names.updatedAt, type: .timestamp, role: .value),
            Column(name: names.version, type: .bigint, role: .value),
            Column(name: names.data, type: .json, role: .value),
        ]
    }
}

extension ContractType {
    /// The type of a column that holds any value of this type.
    fileprivate var columnType: ColumnType {
        switch self {
        case .integer: .bigint
        case .decimal: .anyDecimal
        case .double: .double
        case .boolean: .boolean
        case .string: .text
        case .date: .date
        case .timestamp: .timestamp
        case .uuid: .uuid
        case .bytes: .bytes
        case .json, .array: .json
        }
    }
}

extension ContractValue {
    fileprivate var columnType: ColumnType {
        guard type == .decimal, let scale else { return type.columnType }
        return .decimal(precision: max(38, scale), scale: scale)
    }
}
