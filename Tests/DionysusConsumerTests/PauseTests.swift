import Dionysus
import DionysusConsumer
import Logging
import ServiceLifecycle
import TestSupport
import Testing

/// Partitions that an operator pauses and resumes.
@Suite(.timeLimit(.minutes(10))) struct PauseTests {
    private static let ids: SQL = "SELECT synced_id FROM rentals ORDER BY synced_id"

    private func positions(_ replica: ReplicaHarness) -> ConsumerPositions {
        ConsumerPositions(Mirror(), database: replica.database, broker: replica.broker, settings: .forTests)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `nothing of a paused topic is applied, the others go on, and it goes on where it was`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let positions = positions(replica)
            try await replica.publish(.rental(.created, 1, name: "first"))
            try await replica.consume()
            #expect(try await positions.pause("v3_rentals", by: "otto") == 4)
            #expect(try await positions.pause("v3_rentals", partition: 0, by: "ada") == 0)
            let paused = try await positions.paused()
            #expect(paused.map(\.partition.partition) == [0, 1, 2, 3] && Set(paused.map(\.actor)) == ["otto"])
            try await replica.publish(
                .rental(.created, 2, name: "second"),
                .event("account_created", "Account", #"{"id":7,"name":"Acme"}"#)
            )
            // It ends, though a topic that is paused is never read to its end.
            try await replica.consume()
            #expect(try await replica.rows(Self.ids) == ["1"])
            #expect(try await replica.rows("SELECT synced_id FROM accounts") == ["7"])
            #expect(try await positions.resume("v3_rentals") == 4)
            #expect(try await positions.paused() == [])
            try await replica.consume()
            #expect(try await replica.rows(Self.ids) == ["1", "2"])
            await #expect(throws: DionysusError.self) { try await positions.pause("v3_none", by: "otto") }
            await #expect(throws: DionysusError.self) {
                try await positions.pause("v3_rentals", partition: 9, by: "otto")
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a running consumer stops a partition and goes on with it, and its move counts then`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (positions, lines) = (positions(replica), LogLines())
            try await replica.whileRunning(lines) {
                try await replica.publish(.rental(.created, 1, name: "first"))
                while try await replica.rows(Self.ids) != ["1"] {}
                #expect(try await positions.pause("v3_rentals", partition: 0, by: "otto") == 1)
                while !Task.isCancelled, !lines.all.contains(where: { $0.contains("paused: v3_rentals[0]") }) {
                    await Task.yield()
                }
                try await replica.publish(
                    .rental(.created, 2, name: "second"),
                    .rental(.created, 3, name: "third", partition: 1)
                )
                while try await !replica.rows(Self.ids).contains("3") {}
                #expect(try await replica.rows(Self.ids) == ["1", "3"])
                // What the replica has lost comes back with the replay.
                try await replica.write("DELETE FROM rentals WHERE synced_id = 1")
                try await positions.reset("v3_rentals", partition: 0, to: .earliest, force: true)
                #expect(try await positions.resume("v3_rentals") == 1)
                while try await replica.rows(Self.ids) != ["1", "2", "3"] {}
            }
            #expect(lines.all.contains { $0.contains("resumed: v3_rentals[0]") })
        }
    }
}

extension ReplicaHarness {
    fileprivate func whileRunning(_ lines: LogLines, _ body: () async throws -> Void) async throws {
        let service = ConsumerService(
            Mirror(),
            database: database,
            broker: broker,
            settings: .forTests,
            logger: lines.logger
        )
        let group = ServiceGroup(
            services: [service],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        async let running: Void = group.run()
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        await group.triggerGracefulShutdown()
        try await running
        try result.get()
    }
}
