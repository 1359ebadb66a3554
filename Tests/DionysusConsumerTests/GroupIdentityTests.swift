import Dionysus
import DionysusConsumer
import DionysusKafka
import DionysusKafkaTesting
import Foundation
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// A group of consumers is one replica's.
@Suite(.timeLimit(.minutes(10))) struct GroupIdentityTests {
    private static let names: SQL = "SELECT name FROM rentals ORDER BY synced_id"
    private static let group = ConsumerOptions(
        clientID: "test",
        groupID: ConsumerSettings.forTests.effectiveGroupID,
        topics: ["v3_rentals"]
    )
    private static let partitions = (0..<4 as Range<Int32>).map { TopicPartition("v3_rentals", $0) }

    enum Log: String, CaseIterable, Sendable {
        case embedded
        case kafka
    }

    /// Two replicas on one log.
    private static func two(
        _ kind: TestDatabaseKind,
        _ log: Log = .embedded,
        _ body: (ReplicaHarness, ReplicaHarness) async throws -> Void
    ) async throws {
        try await ReplicaHarness.run(kind) { one in
            try await ReplicaHarness.run(kind) { other in
                guard log == .kafka else {
                    return try await body(one, ReplicaHarness(database: other.database, broker: one.broker))
                }
                let cluster = try MockCluster(brokers: 1)
                let broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers)
                try await broker.createTopics(
                    ["v3_accounts", "v3_rentals", "v3_bookings"].map { TopicSpecification(name: $0) }
                )
                try await body(
                    ReplicaHarness(database: one.database, broker: broker),
                    ReplicaHarness(database: other.database, broker: broker)
                )
                await broker.close()
                cluster.close()
            }
        }
    }

    private static func rentals(_ ids: ClosedRange<Int>) -> [WireMessage] {
        ids.map { .rental(.created, $0, name: "rental \($0)", partition: Int32($0 % 4)) }
    }

    private static func identity(_ replica: ReplicaHarness) async throws -> String {
        try await replica.rows("SELECT identity FROM dionysus_replica WHERE role = 'own'").joined()
    }

    @Test(arguments: TestDatabaseKind.available, Log.allCases)
    func `a consumer refuses the group of another replica, names both, and leaves the group alone`(
        _ kind: TestDatabaseKind,
        _ log: Log
    ) async throws {
        try await Self.two(kind, log) { one, other in
            try await one.publish(Self.rentals(1...8))
            try await one.consume()
            let identities = (try await Self.identity(one), try await Self.identity(other))
            #expect(UUID(uuidString: identities.0) != nil && identities.0 != identities.1)
            let committed = try await one.broker.committedPositions(of: Self.group, in: Self.partitions)
            #expect(committed.count == 4 && committed.values.allSatisfy { $0.metadata == identities.0 })
            #expect(committed.values.allSatisfy { $0.offset == 2 })

            for _ in 1...2 {
                let error = await #expect(throws: DionysusError.self) { try await other.consume() }
                #expect(error?.code == .conflict)
                for part in [identities.0, identities.1, Self.group.groupID, "take-over", "DIONYSUS_CLIENT_ID"] {
                    #expect(error?.description.contains(part) == true, "\(part)")
                }
            }
            #expect(try await other.rows(Self.names) == [])
            #expect(try await one.broker.committedPositions(of: Self.group, in: Self.partitions) == committed)
            try await one.publish(Self.rentals(9...9))
            try await one.consume()
            #expect(try await one.rows(Self.names).count == 9)
            // A group of its own has everything.
            var settings = ConsumerSettings.forTests
            settings.clientID = "other"
            try await other.consume(settings: settings)
            #expect(try await other.rows(Self.names).count == 9)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replica that takes a group over reads it from its own place, and the other one finds out`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.two(kind) { one, other in
            try await one.publish(Self.rentals(1...8))
            try await one.consume()
            let positions = ConsumerPositions(
                Mirror(),
                database: other.database,
                broker: other.broker,
                settings: .forTests
            )
            let old = (try await Self.identity(one), try await Self.identity(other))
            let takeover = try await positions.takeOverGroup()
            #expect(takeover.replaced.map { $0.uuidString.lowercased() } == [old.0])
            let new = try await Self.identity(other)
            #expect(takeover.identity.uuidString.lowercased() == new && new != old.1)
            try await other.consume()
            #expect(try await other.rows(Self.names).count == 8)
            let error = await #expect(throws: DionysusError.self) { try await one.consume() }
            #expect(error?.description.contains(new) == true)
            // Nothing is left to be taken over, and migrating again changes nothing.
            try await ConsumerSchema(database: other.database).migrate()
            #expect(try await positions.takeOverGroup().replaced == [])
            #expect(try await Self.identity(other) == new)
            // The other one takes it back, and so on: they never share it.
            let back = ConsumerPositions(Mirror(), database: one.database, broker: one.broker, settings: .forTests)
            #expect(try await back.takeOverGroup().replaced.map { $0.uuidString.lowercased() } == [new])
            try await one.consume()
            let refused = await #expect(throws: DionysusError.self) { try await other.consume() }
            #expect(refused?.code == .conflict)
        }
    }

    @Test(arguments: TestDatabaseKind.available, [nil, "", "a note of somebody", "{}"])
    func `offsets without an identity, as others and earlier versions commit them, are accepted and claimed`(
        _ kind: TestDatabaseKind,
        _ metadata: String?
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(Self.rentals(1...8))
            var options = Self.group
            options.metadata = metadata
            let member = try await replica.broker.makeConsumer(options)
            try await member.commit(Dictionary(uniqueKeysWithValues: Self.partitions.map { ($0, 1) }))
            await member.close()
            try await replica.consume()
            #expect(try await replica.rows(Self.names).count == 8)
            let committed = try await replica.broker.committedPositions(of: Self.group, in: Self.partitions)
            let identity = try await Self.identity(replica)
            #expect(committed.values.allSatisfy { $0.metadata == identity })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an empty topic is claimed, too`(_ kind: TestDatabaseKind) async throws {
        try await Self.two(kind) { one, other in
            try await one.broker.createTopics([TopicSpecification(name: "v3_rentals")])
            try await Self.running(one) {
                while try await one.broker.committedPositions(of: Self.group, in: Self.partitions).count < 4 {}
                let error = await #expect(throws: DionysusError.self) { try await other.consume() }
                #expect(error?.code == .conflict)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `of two replicas that are in one group all the same, both find out and end`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Self.two(kind) { one, other in
            try await one.publish(Self.rentals(1...8))
            var options = Self.group
            options.metadata = try await Self.identity(other)
            let intruder = try await one.broker.makeConsumer(options)
            let error = await #expect(throws: DionysusError.self) {
                try await Self.running(one) {
                    // The intruder commits in its own share of the partitions, which the consumer leaves alone.
                    var claimed: [TopicPartition: CommittedPosition] = [:]
                    while claimed.isEmpty {
                        claimed = try await one.broker.committedPositions(of: Self.group, in: Self.partitions)
                    }
                    let share = Self.partitions.filter { claimed[$0] == nil }
                    #expect(share.count == 2)
                    try await intruder.commit(Dictionary(uniqueKeysWithValues: share.map { ($0, 0) }))
                    try await Task.sleep(for: .seconds(3_600))
                }
            }
            #expect(error?.code == .conflict)
            await intruder.close()
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a database from before has an identity once it is migrated, and no consumer starts without`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(Self.rentals(1...4))
            try await replica.consume()
            try await replica.define(
                "DROP TABLE dionysus_replica",
                "DROP TABLE dionysus_log_losses",
                "DROP TABLE dionysus_differences",
                "DROP TABLE dionysus_suspects",
                "DROP TABLE dionysus_verifications",
                "DROP TABLE dionysus_verified_keys",
                "DROP TABLE dionysus_pauses",
                "DROP INDEX dionysus_failures_causes",
                "DROP INDEX dionysus_failures_topics",
                "DROP INDEX dionysus_failures_errors",
                "DROP INDEX dionysus_failures_times",
                "DROP INDEX dionysus_failures_entities",
                "DROP INDEX dionysus_failures_records",
                "DROP INDEX dionysus_events_times",
                "ALTER TABLE dionysus_failures DROP COLUMN cause_hash",
                "ALTER TABLE dionysus_offsets DROP COLUMN last_message",
                "DELETE FROM dionysus_consumer_migrations WHERE number >= 60"
            )
            let error = await #expect(throws: DionysusError.self) { try await replica.consume() }
            #expect(error?.code == .declaration && error?.description.contains("migrate") == true)
            try await ConsumerSchema(database: replica.database).migrate()
            // Its own earlier identity is in the group: as of a database that was lost.
            let refused = await #expect(throws: DionysusError.self) { try await replica.consume() }
            #expect(refused?.code == .conflict)
            try await ConsumerPositions(
                Mirror(),
                database: replica.database,
                broker: replica.broker,
                settings: .forTests
            )
            .takeOverGroup()
            try await replica.publish(Self.rentals(5...5))
            try await replica.consume()
            #expect(try await replica.rows(Self.names).count == 5)
        }
    }

    /// Does something while a consumer runs, or until the consumer ends.
    private static func running(
        _ replica: ReplicaHarness,
        while body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let service = ConsumerService(
            Mirror(),
            database: replica.database,
            broker: replica.broker,
            settings: .forTests,
            logger: LogLines().logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
