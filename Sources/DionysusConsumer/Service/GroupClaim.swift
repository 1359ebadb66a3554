import Dionysus
import Foundation
import Synchronization

/// Ensures that a group belongs to this replica: two replicas in one group would each miss messages.
///
/// Members tell the broker the replica's identity with every offset that they commit, and begin nothing before they have
/// looked at what others have committed. Offsets without an identity, as earlier versions and other programs commit them,
/// belong to no replica.
final class GroupClaim: Sendable {
    /// How soon after the start, and then how often, it is looked whether another replica has joined meanwhile.
    private static let intervals = (first: Duration.seconds(1), later: Duration.seconds(10))

    let identity: ReplicaIdentity
    private let options: ConsumerOptions
    private let topics: ConsumedTopics
    private let broker: any MessageBroker
    private let conflict = Mutex<DionysusError?>(nil)

    init(_ identity: ReplicaIdentity, _ options: ConsumerOptions, topics: ConsumedTopics, broker: any MessageBroker) {
        self.identity = identity
        self.options = options
        self.topics = topics
        self.broker = broker
    }

    /// Looks at what the group has committed.
    /// - Returns: The committed positions.
    /// - Throws: ``DionysusError`` with code `conflict` if the group is another replica's; what the broker throws.
    @discardableResult
    func check() async throws -> [TopicPartition: CommittedPosition] {
        let partitions = try await topics.partitions(on: broker)
        let committed = try await broker.committedPositions(of: options, in: partitions)
        guard let (other, partition) = Self.foreign(committed, to: identity) else { return committed }
        throw DionysusError(
            .conflict,
            "the group \(options.groupID) is another replica's: its offset of \(partition) was committed by the replica "
                + "\(other.uuidString.lowercased()), and this database holds the replica \(identity.metadata)",
            advice:
                "give each replica a group of its own (DIONYSUS_CLIENT_ID or DIONYSUS_CONSUMER_GROUP_ID), or, if this "
                + "database has taken the other one's place for good, run `replica take-over` once"
        )
    }

    /// Throws if another replica has been found in the group meanwhile.
    func require() throws {
        if let conflict = conflict.withLock(\.self) { throw conflict }
    }

    /// Does a consumer's work, and checks from time to time who else is in the group.
    func watched<T>(while work: () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch() }
            defer { group.cancelAll() }
            return try await work()
        }
    }

    private func watch() async {
        var interval = Self.intervals.first
        while (try? await Task.sleep(for: interval)) != nil {
            interval = Self.intervals.later
            do {
                try await check()
            } catch let error as DionysusError where error.code == .conflict {
                return conflict.withLock { $0 = error }
            } catch {
                // A broker that can't be asked now is asked next time.
                continue
            }
        }
    }

    /// Another replica's identity among committed offsets.
    private static func foreign(
        _ committed: [TopicPartition: CommittedPosition],
        to identity: ReplicaIdentity
    ) -> (UUID, TopicPartition)? {
        committed.sorted { $0.key < $1.key }
            .lazy
            .compactMap { partition, position -> (UUID, TopicPartition)? in
                guard let other = position.metadata.flatMap(UUID.init(uuidString:)),
                    other != identity.own, !identity.replaced.contains(other)
                else { return nil }
                return (other, partition)
            }
            .first
    }

    /// The identities of other replicas among committed offsets.
    static func identities(in committed: [TopicPartition: CommittedPosition]) -> Set<UUID> {
        Set(committed.values.compactMap { $0.metadata.flatMap(UUID.init(uuidString:)) })
    }
}
