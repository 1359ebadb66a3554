/// An association of a record with one other record of several possible models.
///
///     static let subject = belongsTo(anyOf: Post.self, Photo.self, id: .subjectID, type: .subjectType)
///
/// One attribute holds the name of the other's model, another its primary key.
public struct PolymorphicAssociation<Source: Model>: AssociationFrom {
    /// The attribute that holds the other record's primary key.
    package let idColumn: String
    /// The attribute that holds the name of the other record's model.
    package let typeColumn: String
    public let descriptions: [AssociationDescription]
}

extension Model {
    /// Declares that a record holds the model name and the primary key of another.
    /// - Parameters:
    ///   - targets: The possible models of the other record. Their primary keys have the same type.
    ///   - foreignKey: The attribute of this model that holds the key.
    ///   - foreignType: The attribute of this model that holds the other model's name.
    /// - Returns: The association.
    public static func belongsTo(
        anyOf targets: any Model.Type...,
        id foreignKey: CodingKeys,
        type foreignType: CodingKeys
    ) -> PolymorphicAssociation<Self> {
        let descriptions = targets.map { target in
            AssociationDescription(
                source: ModelDescription(Self.self),
                target: ModelDescription(target),
                hops: [
                    AssociationHop(
                        column: foreignKey.stringValue,
                        otherTable: target.tableName,
                        otherColumn: target.primaryKey,
                        condition: .init(.source, foreignType.stringValue, target.modelName)
                    )
                ],
                isToMany: false
            )
        }
        return PolymorphicAssociation(
            idColumn: foreignKey.stringValue,
            typeColumn: foreignType.stringValue,
            descriptions: descriptions
        )
    }
}
