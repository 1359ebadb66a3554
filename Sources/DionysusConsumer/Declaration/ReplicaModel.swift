public import Dionysus

/// How a remote model is kept here.
public struct ReplicaModel: Sendable {
    var remoteName: String
    let table: String?
    var renamings: [String: String] = [:]
    var associations: [String: AssociationPolicy] = [:]
    var softDeletes = false
    /// Whether it is kept in the table of the convention, if there is one.
    var isConventional = false
    /// The type of its records, if it was declared by one.
    var type: ModelDescription?
    var resolvers: [String: AssociationResolver] = [:]
    var renamesColumns: (@Sendable (inout ReplicaColumnNames) -> Void)?
    var readOnly: Set<String> = []
    var storing: (@Sendable (JSON.Object) -> [String: JSON])?
    var cancelling: CancellationStrategy?
    /// Whether the settings decide what becomes of records that are destroyed without a time of cancellation.
    var endsAsSettingsSay = true
    var payloadKeeping: PayloadKeeping?
    /// Takes all events, in the place of a table.
    var customStorage: RecordHandler?
    var importing: RecordHandler?
    var destroying: RecordHandler?

    /// Declares that a remote model is not kept at all, also if a table follows the convention.
    /// - Parameter remoteName: The model's name on the wire.
    public static func ignored(_ remoteName: String) -> ReplicaModel {
        ReplicaModel(remoteName: remoteName, table: nil)
    }

    /// Declares that a remote model is kept as the convention says: `BookingsFee` in a table `bookings_fees`, if there
    /// is one.
    /// - Parameter remoteName: The model's name on the wire.
    public static func conventional(_ remoteName: String) -> ReplicaModel {
        var model = ReplicaModel(remoteName: remoteName, table: nil)
        model.isConventional = true
        return model
    }
}

/// Declares that a remote model is not kept at all, also if a table follows the convention.
///
///     Ignore("Product")
public struct Ignore: ListElement, Sendable {
    public var element: ReplicaModel

    /// Declares it.
    /// - Parameter remoteName: The model's name on the wire.
    public init(_ remoteName: String) { element = .ignored(remoteName) }
}

/// Declares the table that a remote model is kept in.
///
///     Persist("Booking", table: "bookings").replacing("bookings_fees")
public struct Persist<Record>: ListElement, Sendable {
    public var element: ReplicaModel

    /// Declares the replica.
    /// - Parameters:
    ///   - remoteName: The model's name on the wire.
    ///   - table: The table; a dot separates schema and table.
    public init(_ remoteName: String, table: String) where Record == UntypedRecord {
        element = ReplicaModel(remoteName: remoteName, table: table)
    }

    /// Declares the replica by the type of its records.
    /// - Parameters:
    ///   - remoteName: The model's name on the wire.
    ///   - type: The type, whose table it is kept in and whose coding keys name the columns.
    public init(_ remoteName: String, as type: Record.Type) where Record: Model {
        element = ReplicaModel(remoteName: remoteName, table: type.tableName)
        element.type = ModelDescription(type)
    }

    /// Stores an attribute in a column of another name.
    /// - Parameters:
    ///   - attribute: The attribute's name on the wire.
    ///   - column: The replica's column.
    public func renaming(_ attribute: String, to column: String) -> Persist {
        changing { $0.renamings[attribute] = column }
    }

    /// Stores an attribute in a column of another name.
    /// - Parameters:
    ///   - attribute: The attribute's name on the wire.
    ///   - column: The key of the column.
    public func renaming(_ attribute: String, to column: Record.CodingKeys) -> Persist where Record: Model {
        renaming(attribute, to: column.stringValue)
    }

    /// Removes members of a sideloaded relationship that the payload no longer lists.
    ///
    /// A member whose version is above the payload's stays, because it has moved elsewhere since.
    /// - Parameters:
    ///   - relationship: The relationship's name on the wire.
    ///   - foreignKey: The members' column with the id of this model's record, as the source has it. By default
    ///     `synced_`, this model's name and `_id`: `synced_booking_id`.
    public func replacing(_ relationship: String, foreignKey: String? = nil) -> Persist {
        let singular = Inflection.underscored(element.remoteName)
        let column = foreignKey ?? "synced_\(singular)_id"
        return changing { $0.associations[relationship] = .replace(foreignKey: column) }
    }

    /// Removes members of a sideloaded relationship that the payload no longer lists.
    /// - Parameters:
    ///   - association: The association with the members; its foreign key holds the id of this model's record, as the
    ///     source has it.
    ///   - relationship: The relationship's name on the wire; the members' table by default.
    public func replacing<Member: Model>(
        _ association: ToManyAssociation<Record, Member>,
        named relationship: String? = nil
    ) -> Persist where Record: Model {
        let foreignKey = association.description.hops.last?.otherColumn
        return replacing(relationship ?? Member.tableName, foreignKey: foreignKey)
    }

    /// Keeps a join table as the payload lists the members of a sideloaded relationship.
    /// - Parameters:
    ///   - relationship: The relationship's name on the wire.
    ///   - joinTable: The join table.
    ///   - parent: Its column with the id of this model's record, as the source has it.
    ///   - member: Its column with the id of the member.
    public func linking(
        _ relationship: String,
        through joinTable: String,
        parent: String,
        member: String
    ) -> Persist {
        changing { $0.associations[relationship] = .join(table: joinTable, parent: parent, member: member) }
    }

    /// Keeps the rows of records that are destroyed without a time of cancellation, and sets their column for soft
    /// deletion.
    ///
    /// By default such rows are deleted.
    public func softDeleting() -> Persist {
        changing {
            $0.softDeletes = true
            $0.endsAsSettingsSay = false
        }
    }

    func changing(_ change: (inout ReplicaModel) -> Void) -> Persist {
        var copy = self
        change(&copy.element)
        return copy
    }
}

/// Stands for the records of a replica that is declared by its table alone.
public enum UntypedRecord {}

/// What becomes of the members of a sideloaded relationship.
enum AssociationPolicy: Sendable, Hashable {
    /// Members that are not listed are removed.
    case replace(foreignKey: String)
    /// A join table holds what is listed.
    case join(table: String, parent: String, member: String)
}
