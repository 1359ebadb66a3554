import Dionysus

package import struct Foundation.UUID

/// The result of taking over a group.
package struct GroupTakeover: Sendable, Hashable {
    /// The group.
    package let group: String
    /// The identity of this database's replica from now on.
    package let identity: UUID
    /// The replicas whose place it has taken; none if the group belonged to no other replica, so that nothing has changed.
    package let replaced: [UUID]
}

extension ConsumerPositions {
    /// Takes the place of the replica that the group was used for until now: one that is gone, or is no longer to be kept.
    ///
    /// That gives this database's replica a new identity. A consumer of the other replica that still runs, or is started
    /// again, finds the new identity in the group, and ends. Offsets don't move: each replica goes on where its own
    /// database says.
    /// - Parameter force: Whether it is done also while a consumer of the group runs on this database; it ends then.
    /// - Returns: What was taken over.
    /// - Throws: ``/Dionysus/DionysusError``: `conflict` while a consumer of the group runs on this database; `declaration`
    ///   if the tables are missing; and what the database and the broker throw. Nothing has been changed then.
    @discardableResult
    package func takeOverGroup(force: Bool = false) async throws -> GroupTakeover {
        let partitions = try await topics.partitions(on: broker)
        let committed = try await broker.committedPositions(of: settings.consumerOptions(topics), in: partitions)
        return try await database.transaction(.write) { [offsets] transaction in
            try Self.requireTables(in: &transaction)
            guard let identity = try ReplicaIdentity.load(in: &transaction) else {
                throw DionysusError(.declaration, "the replica's database has no identity", advice: "run migrate")
            }
            let others = GroupClaim.identities(in: committed).subtracting(identity.replaced).subtracting([identity.own])
            guard !others.isEmpty else {
                return GroupTakeover(group: offsets.group, identity: identity.own, replaced: [])
            }
            if !force { try Self.requireNobody(of: offsets.group, in: &transaction) }
            let new = try identity.takeOver(others, in: &transaction)
            return GroupTakeover(group: offsets.group, identity: new.own, replaced: others.sorted())
        }
    }
}

extension ConsumerSettings {
    /// How the group is joined.
    func consumerOptions(_ topics: ConsumedTopics, _ identity: ReplicaIdentity? = nil) -> ConsumerOptions {
        ConsumerOptions(
            clientID: clientID,
            groupID: effectiveGroupID,
            topics: topics.names,
            topicPatterns: topics.patterns,
            settings: brokerSettings,
            metadata: identity?.metadata,
            maxBufferedBytes: bufferedBytes
        )
    }
}
