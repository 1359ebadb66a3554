/// A step from one table to another: rows belong together if the two columns are equal.
package struct AssociationHop: Sendable, Hashable {
    /// A column that must have a certain value, such as the type column of a polymorphic association.
    package struct Condition: Sendable, Hashable {
        /// The table that has the column.
        package enum Side: Sendable, Hashable {
            /// The table at which the step starts.
            case source
            /// The table to which it leads.
            case target
        }

        /// The column's table.
        package let side: Side
        /// The column.
        package let column: String
        /// The value it must have.
        package let value: String

        /// Creates a condition.
        package init(_ side: Side, _ column: String, _ value: String) {
            self.side = side
            self.column = column
            self.value = value
        }
    }

    /// The column on this side.
    package let column: String
    /// The other table.
    package let otherTable: String
    /// The column on the other side.
    package let otherColumn: String
    /// A further condition for two rows to belong together.
    package let condition: Condition?

    /// Creates a step.
    package init(column: String, otherTable: String, otherColumn: String, condition: Condition? = nil) {
        self.column = column
        self.otherTable = otherTable
        self.otherColumn = otherColumn
        self.condition = condition
    }

    /// The columns of the table at which the step starts.
    package var sourceColumns: [String] {
        guard let condition, condition.side == .source else { return [column] }
        return [column, condition.column]
    }

    /// The columns of the table to which the step leads.
    package var targetColumns: [String] {
        guard let condition, condition.side == .target else { return [otherColumn] }
        return [otherColumn, condition.column]
    }

    /// The reverse step.
    /// - Parameter table: The table at which this step starts.
    /// - Returns: The step that leads from the other table to that one.
    package func reversed(to table: String) -> AssociationHop {
        let condition = condition.map { Condition($0.side == .source ? .target : .source, $0.column, $0.value) }
        return AssociationHop(column: otherColumn, otherTable: table, otherColumn: column, condition: condition)
    }
}

/// A type-erased description of an association.
public struct AssociationDescription: Sendable, Hashable, CustomStringConvertible {
    /// The source model.
    package let source: ModelDescription
    /// The target model.
    package let target: ModelDescription
    /// The steps; at least one.
    package let hops: [AssociationHop]
    /// Whether a record has many targets.
    package let isToMany: Bool

    /// Describes an association of models that have no types.
    package init(source: ModelDescription, target: ModelDescription, hops: [AssociationHop], isToMany: Bool) {
        self.source = source
        self.target = target
        self.hops = hops
        self.isToMany = isToMany
    }

    /// Whether the source itself holds the target's primary key.
    package var isBelongsTo: Bool {
        hops.count == 1 && !isToMany && hops[0].otherColumn == target.primaryKey && hops[0].column != source.primaryKey
    }

    public var description: String { "\(source) → \(target) (by \(hops.map(\.column).joined(separator: ", ")))" }
}

/// An association of a record with one other record.
public struct ToOneAssociation<Source: Model, Target: Model>: Association {
    public let description: AssociationDescription

    /// Continues with another association from the target.
    public func then<End: Model>(_ next: ToOneAssociation<Target, End>) -> ToOneAssociation<Source, End> {
        ToOneAssociation<Source, End>(description: description.appending(next.description))
    }

    /// Continues with another association from the target.
    public func then<End: Model>(_ next: ToManyAssociation<Target, End>) -> ToManyAssociation<Source, End> {
        ToManyAssociation<Source, End>(description: description.appending(next.description))
    }
}

/// An association of a record with any number of other records.
public struct ToManyAssociation<Source: Model, Target: Model>: Association {
    public let description: AssociationDescription

    /// Continues with another association from the targets.
    public func then<End: Model>(_ next: ToOneAssociation<Target, End>) -> ToManyAssociation<Source, End> {
        ToManyAssociation<Source, End>(description: description.appending(next.description))
    }

    /// Continues with another association from the targets.
    public func then<End: Model>(_ next: ToManyAssociation<Target, End>) -> ToManyAssociation<Source, End> {
        ToManyAssociation<Source, End>(description: description.appending(next.description))
    }
}

/// An association between two models.
public protocol Association<Source, Target>: AssociationFrom {
    associatedtype Target: Model
    /// The type-erased association.
    var description: AssociationDescription { get }
}

extension Association {
    public var descriptions: [AssociationDescription] { [description] }
}

/// An association that starts at a model, whatever its target.
public protocol AssociationFrom<Source>: Dependency {
    /// The type-erased associations, one for each possible target model.
    var descriptions: [AssociationDescription] { get }
}

extension AssociationDescription {
    /// The way to the end of an association that begins at this one's target.
    package func appending(_ next: AssociationDescription) -> AssociationDescription {
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
    ///   - target: The other model.
    ///   - foreignKey: The attribute of this model that holds the key.
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
    ///   - target: The other model.
    ///   - foreignKey: The attribute of the other model that holds the key.
    public static func hasOne<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys
    ) -> ToOneAssociation<Self, Target> {
        ToOneAssociation(description: owning(Target.self, foreignKey.stringValue, isToMany: false))
    }

    /// Declares that other records hold this one's primary key.
    /// - Parameters:
    ///   - target: The other model.
    ///   - foreignKey: The attribute of the other model that holds the key.
    public static func hasMany<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys
    ) -> ToManyAssociation<Self, Target> {
        ToManyAssociation(description: owning(Target.self, foreignKey.stringValue, isToMany: true))
    }

    /// Declares that at most one other record holds this one's model name and primary key.
    /// - Parameters:
    ///   - target: The other model.
    ///   - foreignKey: The attribute of the other model that holds the key.
    ///   - foreignType: The attribute of the other model that holds the model's name.
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
    ///   - target: The other model.
    ///   - foreignKey: The attribute of the other model that holds the key.
    ///   - foreignType: The attribute of the other model that holds the model's name.
    public static func hasMany<Target: Model>(
        _ target: Target.Type,
        by foreignKey: Target.CodingKeys,
        as foreignType: Target.CodingKeys
    ) -> ToManyAssociation<Self, Target> {
        ToManyAssociation(
            description: owning(Target.self, foreignKey.stringValue, as: foreignType.stringValue, isToMany: true)
        )
    }

    /// Declares an association with many records through intermediate records.
    public static func hasMany<Middle: Model, Target: Model>(
        through: ToManyAssociation<Self, Middle>,
        _ source: ToOneAssociation<Middle, Target>
    ) -> ToManyAssociation<Self, Target> { through.then(source) }

    /// Declares an association with many records through intermediate records that each have many.
    public static func hasMany<Middle: Model, Target: Model>(
        through: ToManyAssociation<Self, Middle>,
        _ source: ToManyAssociation<Middle, Target>
    ) -> ToManyAssociation<Self, Target> { through.then(source) }

    /// Declares an association with one record through an intermediate record.
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
