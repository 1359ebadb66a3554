import Dionysus
import DionysusGRDB
import DionysusProducer
import DionysusSQLite
import GRDB
import TestSupport
import Testing

/// Records of GRDB write their own changes into the outbox.
@Suite struct CaptureGRDBTests {
    struct Guest: OutboxRecordingRecord, Equatable {
        var id: Int64?
        var name: String
        var mood = "good"

        enum CodingKeys: String, CodingKey, ColumnExpression { case id, name, mood }

        static let captureMethod = CaptureMethod.application
        static let outbox = OutboxRecorder.forSQLite(Registry(GuestSync()))
    }

    struct GuestSync: Producer {
        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { Whole(Guest.self) }) { Topic("guests") { Publish(Guest.self) } }
        }
    }

    /// A database that GRDB has opened, with an outbox.
    private func withQueue(_ body: (DatabaseQueue) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/guests.sqlite"
            let queue = try DatabaseQueue(path: path)
            try await queue.write { database in
                try database.execute(
                    sql: "CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, mood TEXT NOT NULL)"
                )
            }
            let database = try SQLiteDatabase(path: path)
            try await OutboxSchema(database: database, registry: Registry(GuestSync())).migrate(lanes: 4)
            await database.close()
            try await body(queue)
        }
    }

    private func rows(_ queue: DatabaseQueue) async throws -> [String] {
        try await queue.read { database in
            try String.fetchAll(
                database,
                sql: "SELECT event_name || ' ' || resource_id || ' ' || topic FROM dionysus_outboxes ORDER BY id"
            )
        }
    }

    @Test("an insert, an update and a deletion are recorded in their transaction, and an update of nothing isn't")
    func changes() async throws {
        try await withQueue { queue in
            try await queue.write { try Guest(id: nil, name: "Ada").insert($0) }
            try await queue.write { database in
                var ada = try #require(try Guest.fetchOne(database))
                try ada.update(database)
                try ada.updateChanges(database) { $0.mood = "better" }
                try ada.delete(database)
            }
            #expect(
                try await rows(queue) == [
                    "guest_created 1 v1_guests", "guest_updated 1 v1_guests", "guest_destroyed 1 v1_guests",
                ]
            )
        }
    }

    @Test("saving and upserting record what has become of the row")
    func saving() async throws {
        try await withQueue { queue in
            try await queue.write { database in
                try Guest(id: 1, name: "Ada").save(database)
                try Guest(id: 1, name: "Ada", mood: "better").save(database)
                try Guest(id: 1, name: "Ada", mood: "best").upsert(database)
            }
            #expect(
                try await rows(queue) == [
                    "guest_created 1 v1_guests", "guest_updated 1 v1_guests", "guest_updated 1 v1_guests",
                ]
            )
        }
    }

    @Test("a transaction that is rolled back records nothing")
    func rollback() async throws {
        struct Rollback: Error {}
        try await withQueue { queue in
            await #expect(throws: Rollback.self) {
                try await queue.write { database in
                    try Guest(id: 1, name: "Ada").insert(database)
                    throw Rollback()
                }
            }
            let recorded = try await rows(queue)
            #expect(recorded == [])
        }
    }

    @Test("outside of a transaction a change is refused, since its row could be lost")
    func withoutTransaction() async throws {
        try await withQueue { queue in
            let error = #expect(throws: DionysusError.self) {
                try queue.writeWithoutTransaction { try Guest(id: 1, name: "Ada").insert($0) }
            }
            #expect(error?.advice?.contains("inTransaction") == true)
        }
    }

    @Test("a part of a transaction can be left out, and can have a trace context")
    func marks() async throws {
        try await withQueue { queue in
            try await queue.write { database in
                try database.withoutCapture { try Guest(id: 1, name: "Ada").insert(database) }
                try database.withTraceContext(traceparent: "00-aa-bb-01") {
                    try Guest(id: 2, name: "Bob").insert(database)
                }
                try Guest(id: 3, name: "Cleo").insert(database)
            }
            let contexts = try await queue.read { database in
                try Row.fetchAll(database, sql: "SELECT resource_id, traceparent FROM dionysus_outboxes ORDER BY id")
                    .map { [$0["resource_id"] as String?, $0["traceparent"] as String?] }
            }
            #expect(contexts == [["2", "00-aa-bb-01"], ["3", nil]])
        }
    }
}
