import Dionysus

/// A column that payloads can be written to.
///
/// It is an object, because every value that is bound passes one on.
final class ReplicaColumn: Sendable {
    let description: ColumnDescription
    /// The type of its values; text where Dionysus has no type for it.
    let type: DatabaseType
    /// Whether it holds lists.
    var isList: Bool { description.listElements != nil }
    /// The smallest difference of two times that the column can tell apart, in microseconds.
    let timestampUnit: Int64
    /// Whether times are cut off to what the column can tell apart, instead of being rounded as the database does.
    let cutsTimesOff: Bool
    /// Whether its values are times, also where its type is text.
    let holdsTimes: Bool

    var name: String { description.name }
    var declaredType: String { description.declaredType }

    init(_ description: ColumnDescription, cutsTimesOff: Bool = false, holdsTimes: Bool = false) {
        self.holdsTimes = holdsTimes
        self.description = description
        self.cutsTimesOff = cutsTimesOff
        type = description.type ?? .text
        timestampUnit = ((description.secondDigits ?? 6)..<6).reduce(1) { unit, _ in unit * 10 }
    }
}

extension ReplicaColumn: Hashable {
    static func == (lhs: ReplicaColumn, rhs: ReplicaColumn) -> Bool {
        lhs === rhs || lhs.description == rhs.description
    }

    func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

/// A table that keeps the records of one remote model.
///
/// It is an object, because every record passes one on.
final class ReplicaTable: Sendable {
    /// The model's name on the wire.
    let model: String
    let name: String
    /// The columns by their names.
    let columns: [String: ReplicaColumn]
    let id: ReplicaColumn
    let version: ReplicaColumn?
    let createdAt: ReplicaColumn?
    let updatedAt: ReplicaColumn?
    let canceledAt: ReplicaColumn?
    let data: ReplicaColumn?
    /// Columns with the time of the row itself.
    let localCreatedAt: ReplicaColumn?
    let localUpdatedAt: ReplicaColumn?
    let declaration: ReplicaModel
    private let reserved: Set<String>
    /// What stands before the names of links in payloads, and in columns.
    private let linkPrefixes: (payload: String, column: String)

    /// Makes a table out of its description.
    /// - Parameters:
    ///   - declaration: The declared replica.
    ///   - table: The description.
    ///   - settings: The names of the columns that Dionysus fills, where the replica has no others.
    /// - Returns: nil if it has no column for the records' ids.
    init?(_ declaration: ReplicaModel, _ table: TableDescription, names settings: ReplicaColumnNames) {
        let names = declaration.columnNames(settings)
        linkPrefixes = (settings.prefix, names.prefix)
        var columns: [String: ReplicaColumn] = [:]
        // A dot in a name would be taken as one between schema and table.
        for column in table.columns where !column.isGenerated && !column.name.contains(".") {
            // Events are compared with these: a time that was rounded up would be later than the event it comes from.
            let isCompared = [names.createdAt, names.updatedAt].contains(column.name)
            columns[column.name] = ReplicaColumn(
                column,
                cutsTimesOff: isCompared,
                holdsTimes: isCompared || column.name == names.canceledAt
            )
        }
        guard let id = columns[names.id] else { return nil }
        model = declaration.remoteName
        name = table.name
        self.id = id
        version = columns[names.version]
        createdAt = columns[names.createdAt]
        updatedAt = columns[names.updatedAt]
        canceledAt = columns[names.canceledAt]
        data = columns[names.data]
        localCreatedAt = columns[names.localCreatedAt]
        localUpdatedAt = columns[names.localUpdatedAt]
        self.columns = columns
        self.declaration = declaration
        reserved = Set(names.all + table.primaryKey)
    }

    /// The column of an attribute, or nil if it has none.
    ///
    /// An attribute can't reach the columns that Dionysus fills.
    func column(ofAttribute name: String) -> ReplicaColumn? {
        let name = declaration.renamings[name] ?? name
        return reserved.contains(name) || declaration.readOnly.contains(name) ? nil : columns[name]
    }

    /// The column of a part of a link: `synced_account_id`.
    func column(ofLink name: String) -> ReplicaColumn? {
        if declaration.renamings[name] != nil { return column(ofAttribute: name) }
        return column(ofAttribute: linkPrefixes.column + name.dropFirst(linkPrefixes.payload.count))
    }

    /// The column of a part of what may be a link or an attribute: `synced_account_id`, or else `account_id`.
    func column(ofMember name: String) -> ReplicaColumn? {
        column(ofLink: name) ?? column(ofAttribute: String(name.dropFirst(linkPrefixes.payload.count)))
    }

    /// The column of a name that a kept payload has: that of an attribute, else of a part of a link.
    func column(ofPayload name: String) -> ReplicaColumn? {
        column(ofAttribute: name) ?? (name.hasPrefix(linkPrefixes.payload) ? column(ofLink: name) : nil)
    }

    /// The names under which a kept payload may have what a column holds.
    func payloadNames(of column: String) -> [String] {
        let renamed = declaration.renamings.filter { $0.value == column }.map(\.key)
        guard column.hasPrefix(linkPrefixes.column) else { return renamed + [column] }
        return renamed + [column, linkPrefixes.payload + column.dropFirst(linkPrefixes.column.count)]
    }

    /// The column that the application may store something in, or nil if the application may not write it.
    func column(toStore name: String) -> ReplicaColumn? {
        reserved.contains(name) && name != data?.name ? nil : columns[name]
    }

    /// The join tables of its associations.
    var joinTables: [String] {
        declaration.associations.values.compactMap { if case .join(let table, _, _) = $0 { table } else { nil } }
    }
}
