public import Dionysus

/// A sideloaded relationship of a record that has been saved.
public struct AssociationResolution: Sendable {
    /// The relationship's name on the wire.
    public let relationship: String
    /// The record whose relationship it is.
    public let parent: LocalRecord
    /// The model of the members, by its name on the wire.
    public let memberModel: String
    /// The ids of the members at the source, as the payload lists them.
    public let memberIDs: [DatabaseValue]
    /// Whether there can be several members.
    public let isToMany: Bool
    /// How recent the payload is, if it says so.
    public let version: Int64?

    /// The id of the one member; nil if there is none.
    public var memberID: DatabaseValue? { memberIDs.first }
}

/// Does what an application wants about the members of a relationship, inside the transaction that wrote them.
public typealias AssociationResolver = @Sendable (AssociationResolution, inout Transaction) throws -> Void

extension Persist {
    /// Resolves a sideloaded relationship in the application's own way.
    ///
    ///     Persist("Booking", table: "bookings").resolving("bookings_fees") { fees, transaction in
    ///         try transaction.run("UPDATE bookings SET fees = \(fees.memberIDs.count) WHERE synced_id = \(fees.parent.id)")
    ///     }
    ///
    /// It is called after the records of the batch have been written, once for each record with the members that its
    /// last event lists. It is not called for an event that is outdated, nor for a record that the batch leaves removed.
    /// It can stand beside another policy of the relationship.
    /// - Parameters:
    ///   - relationship: The relationship's name on the wire.
    ///   - resolver: Resolves it; what it throws is a failure of the messages.
    public func resolving(_ relationship: String, _ resolver: @escaping AssociationResolver) -> Persist {
        changing { $0.resolvers[relationship] = resolver }
    }
}
