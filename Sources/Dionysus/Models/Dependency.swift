/// What is published with a record as a part of it: an association, perhaps with parts of its own.
///
///     Publish(Booking.self, with: Booking.fees.with(BookingsFee.taxes), Booking.guest)
public protocol Dependency<Source>: Sendable {
    associatedtype Source: Model
    /// The dependency without its types: one for each model that it can lead to.
    var dependencies: [DependencyDescription] { get }
}

/// What is known of a dependency without its types.
public struct DependencyDescription: Sendable, Hashable {
    /// The way to the records.
    public let association: AssociationDescription
    /// What is published with each of them.
    public let dependencies: [DependencyDescription]

    /// Creates a description.
    public init(_ association: AssociationDescription, with dependencies: [DependencyDescription] = []) {
        self.association = association
        self.dependencies = dependencies
    }

    /// The ways from the record to everything that is published with it, however deep.
    package var paths: [AssociationDescription] {
        [association] + dependencies.flatMap(\.paths).map(association.appending)
    }
}

extension AssociationFrom {
    public var dependencies: [DependencyDescription] { descriptions.map { DependencyDescription($0) } }
}

extension Association {
    /// Publishes records with parts of their own.
    /// - Parameter parts: The associations of the other model, whose records are sideloaded into its payloads.
    /// - Returns: The dependency.
    public func with(_ parts: any Dependency<Target>...) -> NestedDependency<Source> {
        NestedDependency(dependencies: [
            DependencyDescription(description, with: parts.flatMap(\.dependencies))
        ])
    }
}

extension PolymorphicAssociation {
    /// Publishes records of one of the models with parts of their own.
    /// - Parameters:
    ///   - target: The model, one of those that the association can lead to.
    ///   - parts: The associations of that model, whose records are sideloaded into its payloads.
    /// - Returns: The dependency.
    public func with<Target: Model>(
        _ target: Target.Type,
        _ parts: any Dependency<Target>...
    ) -> NestedDependency<Source> {
        let model = ModelDescription(target)
        let nested = parts.flatMap(\.dependencies)
        return NestedDependency(
            dependencies: descriptions.map { DependencyDescription($0, with: $0.target == model ? nested : []) }
        )
    }
}

/// A dependency that has parts of its own.
public struct NestedDependency<Source: Model>: Dependency {
    public let dependencies: [DependencyDescription]
}
