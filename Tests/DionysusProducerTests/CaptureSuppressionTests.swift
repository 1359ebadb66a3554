import Dionysus
import DionysusProducer
import DionysusSQLite
import GRDB
import TestSupport
import Testing

/// Changes that are not to be captured, and what a transaction says of itself.
@Suite struct CaptureSuppressionTests {
    typealias Trial = CaptureTrial<ByTriggers>

    @Test(
        "a transaction that suppresses capture records nothing, the next one does",
        arguments: TestDatabaseKind.available
    )
    func suppressed(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            try await trial.harness.database.transaction(.write) { transaction in
                try transaction.suppressCapture()
                try transaction.run(Dionysus.SQL(raw: Trial.shop))
                try transaction.run("UPDATE shops SET name = 'unseen'")
            }
            #expect(try await trial.harness.pending() == [])
            try await trial.change("UPDATE shops SET name = 'seen'")
            #expect(try await trial.harness.pending() == ["shop_updated Shop:1 v1_shops 7"])
        }
    }

    @Test("what the application records is suppressed, too", arguments: TestDatabaseKind.available)
    func suppressedApplication(_ kind: TestDatabaseKind) async throws {
        try await CaptureTrial<ByApplication>
            .run(kind) { trial in
                let recorder = OutboxRecorder(trial.harness.registry, database: trial.harness.database)
                let shop = Shop<ByApplication>(id: 1, accountID: 7, name: "Corner")
                try await trial.harness.database.transaction(.write) { transaction in
                    try transaction.suppressCapture()
                    try recorder.record(.created(shop), in: &transaction)
                }
                #expect(try await trial.harness.pending() == [])
                try await trial.harness.database.transaction(.write) { transaction in
                    try recorder.record(.created(shop), in: &transaction)
                }
                #expect(try await trial.harness.pending() == ["shop_created Shop:1 v1_shops 7"])
            }
    }

    static let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("rows carry the trace context of their transaction, and no other's", arguments: TestDatabaseKind.available)
    func traceContext(_ kind: TestDatabaseKind) async throws {
        func check<Choice: CaptureChoice>(_ choice: Choice.Type) async throws {
            try await CaptureTrial<Choice>
                .run(kind) { trial in
                    let recorder = OutboxRecorder(trial.harness.registry, database: trial.harness.database)
                    @Sendable func insert(_ id: Int, _ transaction: inout Transaction) throws {
                        let shop = Shop<Choice>(id: id, accountID: 7, name: "Corner")
                        try transaction.run("INSERT INTO shops (id, account_id, name) VALUES (\(id), 7, 'Corner')")
                        if Choice.method == .application { try recorder.record(.created(shop), in: &transaction) }
                    }
                    try await trial.harness.database.transaction(.write) { transaction in
                        try transaction.setTraceContext(traceparent: Self.traceparent, tracestate: "vendor=x")
                        try insert(1, &transaction)
                    }
                    try await trial.harness.database.transaction(.write) { try insert(2, &$0) }
                    let contexts = try await trial.harness.database.transaction(.snapshot) { transaction in
                        try transaction.run("SELECT traceparent, tracestate FROM dionysus_outboxes ORDER BY id").rows
                            .map { [try $0.text(0), try $0.text(1)] }
                    }
                    #expect(contexts == [[Self.traceparent, "vendor=x"], [nil, nil]])
                }
        }
        try await check(ByTriggers.self)
        try await check(ByApplication.self)
    }

    @Test("on SQLite a transaction that forgets to end its suppression can't be committed by any program")
    func forgottenMarker() async throws {
        try await withShops { path in
            let program = try DatabaseQueue(path: path)
            #expect(throws: GRDB.DatabaseError.self) {
                try program.write { database in
                    try database.execute(sql: "INSERT INTO dionysus_transaction (capture) VALUES ('off')")
                    try database.execute(sql: Trial.shop)
                }
            }
            let shops = try program.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM shops") }
            #expect(shops == 0)
            try program.write { database in
                try database.execute(sql: "INSERT INTO dionysus_transaction (capture) VALUES ('off')")
                try database.execute(sql: Trial.shop)
                try database.execute(sql: "DELETE FROM dionysus_transaction")
            }
            let counts = try program.read { database in
                [
                    try Int.fetchOne(database, sql: "SELECT count(*) FROM shops"),
                    try Int.fetchOne(database, sql: "SELECT count(*) FROM dionysus_outboxes"),
                ]
            }
            #expect(counts == [1, 0])
        }
    }

    @Test("on SQLite a connection that does not enforce foreign keys is refused the suppression")
    func withoutForeignKeys() async throws {
        try await withShops { path in
            var configuration = Configuration()
            configuration.foreignKeysEnabled = false
            let program = try DatabaseQueue(path: path, configuration: configuration)
            let error = #expect(throws: GRDB.DatabaseError.self) {
                try program.write { database in
                    try database.execute(sql: "INSERT INTO dionysus_transaction (capture) VALUES ('off')")
                }
            }
            #expect(error?.message?.contains("foreign_keys = ON") == true)
        }
    }

    @Test(
        "capture disabled by configuration: migrating removes the triggers, and validating finds no fault",
        arguments: TestDatabaseKind.available
    )
    func disabled(_ kind: TestDatabaseKind) async throws {
        try await Trial.run(kind) { trial in
            var settings = ProducerSettings()
            settings.capture = .disabled
            let disabled = trial.harness.declaring(ShopSync<ByTriggers>(), settings: settings)
            #expect(try await disabled.schema.validate().isEmpty == false)
            try await disabled.schema.migrate(lanes: settings.lanes)
            #expect(try await disabled.schema.validate() == [])
            try await trial.change(Trial.shop)
            #expect(try await disabled.pending() == [])
            try await disabled.relay()
        }
    }

    /// A file with a migrated database, which nobody has open.
    private func withShops(_ body: (String) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/shops.sqlite"
            let database = try SQLiteDatabase(path: path)
            let registry = Registry(ShopSync<ByTriggers>())
            _ = try await database.transaction(.write) { try $0.run(Trial.tables.map { Dionysus.SQL(raw: $0) }) }
            try await OutboxSchema(database: database, registry: registry).migrate(lanes: 4)
            await database.close()
            try body(path)
        }
    }
}
