public import Dionysus

/// The records that belong to a record which is being serialized, as far as its serializer loads them.
public struct Related<Record: Model>: Sendable {
    let targets: SerializerPlan.Targets

    /// Hands over related records, for using a serializer alone.
    public init() { targets = [] }

    init(targets: SerializerPlan.Targets) { self.targets = targets }

    /// The other record of an association.
    /// - Parameter association: An association that the serializer links or loads.
    /// - Throws: ``/Dionysus/DionysusError`` with code `application` if it isn't loaded, or there is no such record.
    public subscript<Target: Model>(association: ToOneAssociation<Record, Target>) -> Target {
        get throws {
            guard let target = try records(association.description, of: Target.self).first else {
                throw DionysusError(.application, "there is no record for \(association.description)")
            }
            return target
        }
    }

    /// The other record of an association, if there is one.
    /// - Parameter association: An association that the serializer links or loads.
    /// - Throws: ``/Dionysus/DionysusError`` with code `application` if it isn't loaded.
    public subscript<Target: Model>(optional association: ToOneAssociation<Record, Target>) -> Target? {
        get throws { try records(association.description, of: Target.self).first }
    }

    /// The other records of an association, in the order of their primary keys.
    /// - Parameter association: An association that the serializer links or loads.
    /// - Throws: ``/Dionysus/DionysusError`` with code `application` if it isn't loaded.
    public subscript<Target: Model>(association: ToManyAssociation<Record, Target>) -> [Target] {
        get throws { try records(association.description, of: Target.self) }
    }

    /// The other record of a polymorphic association, if there is one.
    /// - Parameter association: An association that the serializer links or loads.
    /// - Throws: ``/Dionysus/DionysusError`` with code `application` if it isn't loaded.
    public subscript(association: PolymorphicAssociation<Record>) -> (any Model)? {
        get throws { try association.descriptions.flatMap(records).first }
    }

    private func records<Target: Model>(
        _ association: AssociationDescription,
        of type: Target.Type
    ) throws -> [Target] {
        try records(association).compactMap { $0 as? Target }
    }

    private func records(_ association: AssociationDescription) throws -> [any Model] {
        guard let loaded = targets[association] else {
            throw DionysusError(
                .application,
                "\(association) is not loaded",
                advice: "name it in the attribute's `loading:`"
            )
        }
        return loaded
    }
}

extension Related {
    /// Adds the other record of an association.
    /// - Parameters:
    ///   - association: The association.
    ///   - target: The other record, or nil if there is none.
    public func adding<Target: Model>(
        _ association: ToOneAssociation<Record, Target>,
        _ target: Target?
    ) -> Related {
        Related(targets: targets.replacing(association.description, by: target.map { [$0] } ?? []))
    }

    /// Adds the other records of an association.
    /// - Parameters:
    ///   - association: The association.
    ///   - newTargets: The other records.
    public func adding<Target: Model>(
        _ association: ToManyAssociation<Record, Target>,
        _ newTargets: [Target]
    ) -> Related {
        Related(targets: targets.replacing(association.description, by: newTargets))
    }

    /// Adds the other record of a polymorphic association.
    /// - Parameters:
    ///   - association: The association.
    ///   - target: The other record, or nil if there is none.
    public func adding(_ association: PolymorphicAssociation<Record>, _ target: (any Model)?) -> Related {
        var targets = targets
        let model = target.map { ModelDescription(type(of: $0)) }
        for description in association.descriptions {
            let records = description.target == model ? target.map { [$0] } ?? [] : []
            targets = targets.replacing(description, by: records)
        }
        return Related(targets: targets)
    }
}
