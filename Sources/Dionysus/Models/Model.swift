/// A type whose values are rows of one table.
///
///     struct Rental: Model {
///         var id: Int
///         var accountID: Int
///         var name: String
///
///         enum CodingKeys: String, CodingKey {
///             case id, name, accountID = "account_id"
///         }
///         static let account = belongsTo(Account.self, by: .accountID)
///     }
///
/// Write the coding keys out, because they name the attributes everywhere: in the table, on the wire, in associations
/// and observers. A public model needs public coding keys. `Codable` synthesizes the rest.
public protocol Model: Codable, Sendable {
    /// The names of the attributes.
    associatedtype CodingKeys: CodingKey & Sendable

    /// The model's name on the wire. The type's name by default.
    static var modelName: String { get }

    /// The table; a dot separates schema and table. The plural of the model's name in snake case by default.
    static var tableName: String { get }

    /// The column of the primary key. `id` by default.
    static var primaryKey: String { get }

    /// The column that is not null in soft-deleted records; ignored if the table has no such column. The default is
    /// `canceled_at`, or the column that a producer's settings name for all models without their own.
    static var softDeleteColumn: String { get }

    /// Whether changes of soft-deleted records are published, as updates. False by default.
    static var publishesUpdatesAfterSoftDelete: Bool { get }

    /// The soft-deleted records whose changes are published as updates, if not all are. None by default.
    static var updatesAfterSoftDelete: ColumnCondition? { get }

    /// How the model's changes are captured. ``CaptureMethod/triggers`` by default.
    static var captureMethod: CaptureMethod { get }

    /// What changesets contain about the model's changes. ``ChangesetContent/minimal`` by default.
    static var changeset: ChangesetContent { get }
}

extension Model {
    public static var modelName: String { String(describing: Self.self) }
    public static var tableName: String { Inflection().plural(of: Inflection.underscored(modelName)) }
    public static var primaryKey: String { "id" }
    public static var softDeleteColumn: String { ModelDescription.defaultSoftDeleteColumn }
    public static var publishesUpdatesAfterSoftDelete: Bool { false }
    public static var updatesAfterSoftDelete: ColumnCondition? { nil }
    public static var captureMethod: CaptureMethod { .triggers }
    public static var changeset: ChangesetContent { .minimal }
}

/// A type-erased description of a model.
package struct ModelDescription: Sendable, Hashable, CustomStringConvertible {
    /// The model's name on the wire.
    package let name: String
    /// The table.
    package let table: String
    /// The column of the primary key.
    package let primaryKey: String
    /// The column that is not null in soft-deleted records, if the table has it.
    package private(set) var softDeleteColumn: String
    /// The model's name in snake case, the prefix of event names.
    package let singular: String
    /// Whether changes of soft-deleted records are published.
    package let publishesUpdatesAfterSoftDelete: Bool
    /// The soft-deleted records whose changes are published, if not all are.
    package let updatesAfterSoftDelete: ColumnCondition?
    /// How changes are captured.
    package let captureMethod: CaptureMethod
    /// What changesets contain.
    package let changeset: ChangesetContent
    private let records: Records

    /// How the model's records are known.
    private enum Records: Sendable {
        case type(any Model.Type)
        /// Only their columns are.
        case columns([ModelColumn])
    }

    /// Describes a model.
    package init(_ type: any Model.Type) {
        name = type.modelName
        table = type.tableName
        primaryKey = type.primaryKey
        softDeleteColumn = type.softDeleteColumn
        publishesUpdatesAfterSoftDelete = type.publishesUpdatesAfterSoftDelete
        updatesAfterSoftDelete = type.updatesAfterSoftDelete
        captureMethod = type.captureMethod
        changeset = type.changeset
        singular = Inflection.underscored(type.modelName)
        records = .type(type)
    }

    /// Describes a model that has no type, or the rows of a table of which no model is declared.
    /// - Parameters:
    ///   - columns: The columns that are read.
    package init(
        name: String,
        table: String,
        primaryKey: String = "id",
        softDeleteColumn: String? = nil,
        publishesUpdatesAfterSoftDelete: Bool = false,
        updatesAfterSoftDelete: ColumnCondition? = nil,
        captureMethod: CaptureMethod = .triggers,
        changeset: ChangesetContent = .minimal,
        columns: [ModelColumn] = []
    ) {
        self.name = name
        self.table = table
        self.primaryKey = primaryKey
        self.softDeleteColumn = softDeleteColumn ?? Self.defaultSoftDeleteColumn
        self.publishesUpdatesAfterSoftDelete = publishesUpdatesAfterSoftDelete
        self.updatesAfterSoftDelete = updatesAfterSoftDelete
        self.captureMethod = captureMethod
        self.changeset = changeset
        singular = Inflection.underscored(name)
        records = .columns(columns)
    }

    /// The model with the default soft-delete column, unless it names its own.
    package func softDeleted(by column: String) -> ModelDescription {
        guard softDeleteColumn == Self.defaultSoftDeleteColumn else { return self }
        var copy = self
        copy.softDeleteColumn = column
        return copy
    }

    static let defaultSoftDeleteColumn = "canceled_at"

    package var description: String { name }

    package static func == (lhs: ModelDescription, rhs: ModelDescription) -> Bool {
        lhs.name == rhs.name && lhs.table == rhs.table
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(table)
    }

    /// The columns that the model's type names, or those that were declared.
    /// - Throws: ``DionysusError`` with code `declaration` if they can't be determined.
    package func columns() throws -> [ModelColumn] {
        switch records {
        case .type(let type): try ModelColumn.all(of: type)
        case .columns(let columns): columns
        }
    }

    /// Decodes a row.
    package func decode(_ row: Row) throws -> any Model {
        switch records {
        case .type(let type): try type.init(from: RowDecoder(row: row))
        case .columns(let columns): RowRecord(row: row, columns: columns)
        }
    }

    /// Decodes a row that lacks columns; missing attributes are nil or placeholder values.
    package func decodePart(_ row: Row) throws -> any Model {
        switch records {
        case .type(let type): try type.init(from: PartialRowDecoder(row: row))
        case .columns(let columns): RowRecord(row: row, columns: columns)
        }
    }
}
