/// One step from a table to another: rows belong together where the two columns are equal.
public struct AssociationHop: Sendable, Hashable {
    /// A column that must have a value, such as the type column of a polymorphic association.
    public struct Condition: Sendable, Hashable {
        /// The table that has the column.
        public enum Side: Sendable, Hashable {
            /// The table that the step begins at.
            case source
            /// The table that it leads to.
            case target
        }

        /// Where the column is.
        public let side: Side
        /// The column.
        public let column: String
        /// The value it must have.
        public let value: String

        /// Creates a condition.
        public init(_ side: Side, _ column: String, _ value: String) {
            self.side = side
            self.column = column
            self.value = value
        }
    }

    /// The column on this side.
    public let column: String
    /// The other table.
    public let otherTable: String
    /// The column on the other side.
    public let otherColumn: String
    /// What else must hold for two rows to belong together.
    public let condition: Condition?

    /// Creates a step.
    public init(column: String, otherTable: String, otherColumn: String, condition: Condition? = nil) {
        self.column = column
        self.otherTable = otherTable
        self.otherColumn = otherColumn
        self.condition = condition
    }

    /// The columns of the table that the step begins at.
    package var sourceColumns: [String] {
        guard let condition, condition.side == .source else { return [column] }
        return [column, condition.column]
    }

    /// The columns of the table that the step leads to.
    package var targetColumns: [String] {
        guard let condition, condition.side == .target else { return [otherColumn] }
        return [otherColumn, condition.column]
    }

    /// The step back.
    /// - Parameter table: The table that this step begins at.
    /// - Returns: The step that leads from the other table to that one.
    public func reversed(to table: String) -> AssociationHop {
        let condition = condition.map { Condition($0.side == .source ? .target : .source, $0.column, $0.value) }
        return AssociationHop(column: otherColumn, otherTable: table, otherColumn: column, condition: condition)
    }
}

/// What is known of an association without its types.
public struct AssociationDescription: Sendable, Hashable, CustomStringConvertible {
    /// The model it begins at.
    public let source: ModelDescription
    /// The model it leads to.
    public let target: ModelDescription
    /// The steps, at least one.
    public let hops: [AssociationHop]
    /// Whether a record has many targets.
    public let isToMany: Bool

    /// Whether the source itself holds the target's primary key.
    public var isBelongsTo: Bool {
        hops.count == 1 && !isToMany && hops[0].otherColumn == target.primaryKey && hops[0].column != source.primaryKey
    }

    public var description: String { "\(source) → \(target) (by \(hops.map(\.column).joined(separator: ", ")))" }
}

/// An association of a record with one other.
public struct ToOneAssociation<Source: Model, Target: Model>: Association {
    public let description: AssociationDescription

    /// Follows another association from the target on.
    /// - Returns: The chain of both.
    public func then<End: Model>(_ next: ToOneAssociation<Target, End>) -> ToOneAssociation<Source, End> {
        ToOneAssociation<Source, End>(description: description.appending(next.description))
    }

    /// Follows another association from the target on.
    /// - Returns: The chain of both.
    public func then<End: Model>(_ next: ToManyAssociation<Target, End>) -> ToManyAssociation<Source, End> {
        ToManyAssociation<Source, End>(description: description.appending(next.description))
    }
}

/// An association of a record with any number of others.
public struct ToManyAssociation<Source: Model, Target: Model>: Association {
    public let description: AssociationDescription

    /// Follows another association from the targets on.
    /// - Returns: The chain of both.
    public func then<End: Model>(_ next: ToOneAssociation<Target, End>) -> ToManyAssociation<Source, End> {
        ToManyAssociation<Source, End>(description: description.appending(next.description))
    }

    /// Follows another association from the targets on.
    /// - Returns: The chain of both.
    public func then<End: Model>(_ next: ToManyAssociation<Target, End>) -> ToManyAssociation<Source, End> {
        ToManyAssociation<Source, End>(description: description.appending(next.description))
    }
}

/// An association between two models.
public protocol Association<Source, Target>: AssociationFrom {
    associatedtype Target: Model
    /// The association without its types.
    var description: AssociationDescription { get }
}

extension Association {
    public var descriptions: [AssociationDescription] { [description] }
}

/// An association that begins at a model, wherever it leads.
public protocol AssociationFrom<Source>: Dependency {
    /// The association without its types: one for each model that it can lead to.
    var descriptions: [AssociationDescription] { get }
}

extension AssociationDescription {
    func appending(_ next: AssociationDescription) -> AssociationDescription {
        AssociationDescription(
            source: source,
            target: next.target,
            hops: hops + next.hops,
            isToMany: isToMany || next.isToMany
        )
    }
}

extension Model {
    /// Declares that a record holds another's primary key.
    /// - Parameters:
    ///   - foreignKey: The attribute of this model that holds the key.
    /// - Returns: The association.
    public static func belongsTo<Target: Model>(
        _ target: Target.Type,
        by foreignKey: CodingKeys
    ) -> ToOneAssociation<Self, Target> {
        ToOneAssociation(
            description: AssociationDescription(
                source: ModelDescription(Self.self),
                target: ModelDescription(Target.self),
                hops: [
                    AssociationHop(
                        column: foreignKey.stringValue,
                        otherTable: Target.tableName,
                        otherColumn: Target.primaryKey
                    )
                ],
                isToMany: false
            )
        )
    }

    /// Declares that at most one other record holds this one's primary key.
    /// - Parameters:
    ///   - foreignKey: The attribute of the other model that holds the key.
    /// - Returns: The association.
    public static func hasOne<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys
    ) -> ToOneAssociation<Self, Target> {
        ToOneAssociation(description: owning(Target.self, foreignKey.stringValue, isToMany: false))
    }

    /// Declares that other records hold this one's primary key.
    /// - Parameters:
    ///   - foreignKey: The attribute of the other model that holds the key.
    /// - Returns: The association.
    public static func hasMany<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys
    ) -> ToManyAssociation<Self, Target> {
        ToManyAssociation(description: owning(Target.self, foreignKey.stringValue, isToMany: true))
    }

    /// Declares that at most one other record holds this one's model name and primary key.
    /// - Parameters:
    ///   - foreignKey: The attribute of the other model that holds the key.
    ///   - foreignType: The attribute of the other model that holds the model's name.
    /// - Returns: The association.
    public static func hasOne<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys,
        as foreignType: Target.CodingKeys
    ) -> ToOneAssociation<Self, Target> {
        ToOneAssociation(
            description: owning(Target.self, foreignKey.stringValue, as: foreignType.stringValue, isToMany: false)
        )
    }

    /// Declares that other records hold this one's model name and primary key.
    /// - Parameters:
    ///   - foreignKey: The attribute of the other model that holds the key.
    ///   - foreignType: The attribute of the other model that holds the model's name.
    /// - Returns: The association.
    public static func hasMany<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys,
        as foreignType: Target.CodingKeys
    ) -> ToManyAssociation<Self, Target> {
        ToManyAssociation(
            description: owning(Target.self, foreignKey.stringValue, as: foreignType.stringValue, isToMany: true)
        )
    }

    /// Declares that others are reached through records between.
    /// - Returns: The association.
    public static func hasMany<Middle: Model, Target: Model>(
        through: ToManyAssociation<Self, Middle>,
        _ source: ToOneAssociation<Middle, Target>
    ) -> ToManyAssociation<Self, Target> { through.then(source) }

    /// Declares that others are reached through records between, each of which has many.
    /// - Returns: The association.
    public static func hasMany<Middle: Model, Target: Model>(
        through: ToManyAssociation<Self, Middle>,
        _ source: ToManyAssociation<Middle, Target>
    ) -> ToManyAssociation<Self, Target> { through.then(source) }

    /// Declares that one other is reached through a record between.
    /// - Returns: The association.
    public static func hasOne<Middle: Model, Target: Model>(
        through: ToOneAssociation<Self, Middle>,
        _ source: ToOneAssociation<Middle, Target>
    ) -> ToOneAssociation<Self, Target> { through.then(source) }

    private static func owning<Target: Model>(
        _ target: Target.Type,
        _ foreignKey: String,
        as foreignType: String? = nil,
        isToMany: Bool
    ) -> AssociationDescription {
        AssociationDescription(
            source: ModelDescription(Self.self),
            target: ModelDescription(Target.self),
            hops: [
                AssociationHop(
                    column: Self.primaryKey,
                    otherTable: Target.tableName,
                    otherColumn: foreignKey,
                    condition: foreignType.map { AssociationHop.Condition(.target, $0, Self.modelName) }
                )
            ],
            isToMany: isToMany
        )
    }
}
