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
/// The coding keys are written out, because they name the attributes everywhere: in the table, on the wire, in
/// associations and observers; a public model's are public. What `Codable` synthesizes does the rest.
public protocol Model: Codable, Sendable {
    /// The names of the attributes.
    associatedtype CodingKeys: CodingKey & Sendable

    /// The model's name on the wire. The type's name by default.
    static var modelName: String { get }

    /// The table; a dot separates schema and table. The plural of the model's name in snake case by default.
    static var tableName: String { get }

    /// The column of the primary key. `id` by default.
    static var primaryKey: String { get }

    /// The column that is not null in soft-deleted records. It is ignored if the table has no such column.
    /// `canceled_at` by default, or the one that a producer's settings name for all models without one of their own.
    static var softDeleteColumn: String { get }

    /// Whether changes of soft-deleted records are published, as updates. False by default.
    static var publishesUpdatesAfterSoftDelete: Bool { get }

    /// Of which soft-deleted records changes are published, as updates, where not of all. None by default.
    static var updatesAfterSoftDelete: ColumnCondition? { get }

    /// How changes of the model get into the outbox. ``CaptureMethod/triggers`` by default.
    static var captureMethod: CaptureMethod { get }

    /// What the outbox says about changes of the model. ``ChangesetContent/minimal`` by default.
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

/// What is known of a model without its type.
public struct ModelDescription: Sendable, Hashable, CustomStringConvertible {
    /// The model's name on the wire.
    public let name: String
    /// The table.
    public let table: String
    /// The column of the primary key.
    public let primaryKey: String
    /// The column that is not null in soft-deleted records, if the table has it.
    public private(set) var softDeleteColumn: String
    /// The model's name in snake case, as it begins event names.
    public let singular: String
    /// Whether changes of soft-deleted records are published.
    public let publishesUpdatesAfterSoftDelete: Bool
    /// Of which soft-deleted records changes are published, where not of all.
    public let updatesAfterSoftDelete: ColumnCondition?
    /// How changes get into the outbox.
    public let captureMethod: CaptureMethod
    /// What the outbox says about changes.
    public let changeset: ChangesetContent
    let type: any Model.Type

    /// Describes a model.
    public init(_ type: any Model.Type) {
        name = type.modelName
        table = type.tableName
        primaryKey = type.primaryKey
        softDeleteColumn = type.softDeleteColumn
        publishesUpdatesAfterSoftDelete = type.publishesUpdatesAfterSoftDelete
        updatesAfterSoftDelete = type.updatesAfterSoftDelete
        captureMethod = type.captureMethod
        changeset = type.changeset
        singular = Inflection.underscored(type.modelName)
        self.type = type
    }

    /// The model with the soft-delete column that is set for all, unless it names one of its own.
    package func softDeleted(by column: String) -> ModelDescription {
        guard softDeleteColumn == Self.defaultSoftDeleteColumn else { return self }
        var copy = self
        copy.softDeleteColumn = column
        return copy
    }

    static let defaultSoftDeleteColumn = "canceled_at"

    public var description: String { name }

    public static func == (lhs: ModelDescription, rhs: ModelDescription) -> Bool {
        lhs.name == rhs.name && lhs.table == rhs.table
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(table)
    }

    /// The columns that the model's type names.
    /// - Throws: ``DionysusError`` with code `declaration` when they can't be found out.
    package func columns() throws -> [ModelColumn] { try ModelColumn.all(of: type) }

    /// Decodes a row.
    package func decode(_ row: Row) throws -> any Model { try type.init(from: RowDecoder(row: row)) }

    /// Decodes a row that lacks columns; the attributes it lacks are nil, or values that mean nothing.
    package func decodePart(_ row: Row) throws -> any Model { try type.init(from: PartialRowDecoder(row: row)) }
}
