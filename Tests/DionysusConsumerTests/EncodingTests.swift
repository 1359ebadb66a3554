import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Databases that can't hold every text.
@Suite struct EncodingTests {
    @Test(arguments: ["LATIN1", "SQL_ASCII", "WIN1252"])
    func `a replica in another encoding than UTF-8 is refused before anything is read`(_ encoding: String) async throws
    {
        guard TestDatabaseKind.available.contains(.postgres) else { return }
        try await withTemporaryPostgresDatabase(encoding: encoding) { database in
            try await database.transaction(.write) { try ReplicaTables.create(in: &$0) }
            try await ConsumerSchema(database: database).migrate()
            let faults = try await ConsumerSchema(database: database).validate(Mirror(), settings: .forTests)
            #expect(faults.count == 1)
            #expect(faults.first?.contains(encoding) == true && faults.first?.contains("UTF8") == true, "\(faults)")
            try await ReplicaHarness.run(.sqlite) { replica in
                let other = ReplicaHarness(database: database, broker: replica.broker)
                let error = await #expect(throws: DionysusError.self) { try await other.consume() }
                #expect(error?.code == .declaration && error?.message.contains(encoding) == true)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a replica that holds every text is no fault`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let faults = try await ConsumerSchema(database: replica.database).validate(Mirror(), settings: .forTests)
            #expect(faults == [])
        }
    }
}
