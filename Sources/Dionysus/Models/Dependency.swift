/// Records that are published as a part of another record: an association, optionally with nested parts.
///
///     Publish(Booking.self, with: Booking.fees.with(BookingsFee.taxes), Booking.guest)
public protocol Dependency<Source>: Sendable {
    associatedtype Source: Model
    /// The type-erased dependencies, one for each possible target model.
    var dependencies: [DependencyDescription] { get }
}

/// A type-erased description of a dependency.
public struct DependencyDescription: Sendable, Hashable {
    /// The association that leads to the records.
    package let association: AssociationDescription
    /// The dependencies of each of them.
    package let dependencies: [DependencyDescription]

    /// Creates a description.
    package init(_ association: AssociationDescription, with dependencies: [DependencyDescription] = []) {
        self.association = association
        self.dependencies = dependencies
    }

    /// The paths from the record to everything that is published with it, at any depth.
    package var paths: [AssociationDescription] {
        [association] + dependencies.flatMap(\.paths).map(association.appending)
    }
}

extension AssociationFrom {
    public var dependencies: [DependencyDescription] { descriptions.map { DependencyDescription($0) } }
}

extension Association {
    /// Adds nested parts to the published records.
    /// - Parameter parts: The associations of the other model, whose records are sideloaded into its payloads.
    public func with(_ parts: any Dependency<Target>...) -> NestedDependency<Source> {
        NestedDependency(dependencies: [
            DependencyDescription(description, with: parts.flatMap(\.dependencies))
        ])
    }
}

extension PolymorphicAssociation {
    /// Adds nested parts to the published records of one of the models.
    /// - Parameters:
    ///   - target: One of the association's target models.
    ///   - parts: The associations of that model, whose records are sideloaded into its payloads.
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

/// A dependency with nested parts.
public struct NestedDependency<Source: Model>: Dependency {
    public let dependencies: [DependencyDescription]
}
