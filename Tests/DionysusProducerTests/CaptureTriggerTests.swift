import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What the triggers of a plan write that no declaration of these tests asks for.
@Suite struct CaptureTriggerTests {
    typealias Trial = CaptureTrial<ByTriggers>

    private static func record(
        _ modelName: String,
        _ table: String,
        partitionKey: RecordCapture.Topic.PartitionKey = .none,
        keeping columns: [String] = []
    ) -> RecordCapture {
        RecordCapture(
            modelName: modelName,
            singular: modelName.lowercased(),
            table: table,
            primaryKey: "id",
            softDeleteColumn: nil,
            topics: [.init(name: "t", partitionKey: partitionKey)],
            keptColumns: columns
        )
    }

    /// Runs a body on tables of which only one is captured.
    private func run(
        _ kind: TestDatabaseKind,
        tables: [String],
        _ capture: TableCapture,
        _ body: (Trial) async throws -> Void
    ) async throws {
        try await Trial.run(kind) { trial in
            try await trial.harness.database.transaction(.write) { transaction in
                for table in tables { try transaction.run(SQL(raw: table)) }
                let support = trial.harness.database.outbox
                let report = try support.captureReport(CaptureRequest(tables: [capture]), in: &transaction)
                #expect(report.faults == [])
                for difference in report.differences { try transaction.run(difference.statements) }
            }
            try await body(trial)
        }
    }

    static let notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, subject_id INTEGER, subject_type TEXT, text TEXT)"

    @Test(
        "a polymorphic association leads only to records of the type in its type column",
        arguments: TestDatabaseKind.available
    )
    func conditionOfSource(_ kind: TestDatabaseKind) async throws {
        let hop = AssociationHop(
            column: "subject_id",
            otherTable: "shops",
            otherColumn: "id",
            condition: .init(.source, "subject_type", "Shop")
        )
        var capture = TableCapture(table: "notes", primaryKey: "id")
        capture.affected = [AffectedCapture(record: Self.record("Shop", "shops"), path: [hop], columns: nil)]
        try await run(kind, tables: [Self.notes], capture) { trial in
            func events(_ statement: String) async throws -> [String] {
                try await trial.harness.settle()
                try await trial.change(statement)
                return try await trial.harness.pending().sorted()
            }
            try await trial.change("INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'a'), (2, 7, 'b')")
            let (first, second) = ("shop_updated Shop:1 t -", "shop_updated Shop:2 t -")
            #expect(try await events("INSERT INTO notes VALUES (1, 1, 'Shop', 'x'), (2, 1, 'Area', 'y')") == [first])
            #expect(try await events("UPDATE notes SET text = 'z' WHERE id = 2") == [])
            #expect(try await events("UPDATE notes SET subject_id = 2") == [first, second])
            #expect(try await events("UPDATE notes SET subject_type = 'Area' WHERE id = 1") == [second])
            #expect(try await events("UPDATE notes SET subject_type = 'Shop' WHERE id = 1") == [second])
            #expect(try await events("DELETE FROM notes") == [second])
        }
    }

    @Test("the type column may stand in the table that is led to", arguments: TestDatabaseKind.available)
    func conditionOfTarget(_ kind: TestDatabaseKind) async throws {
        let hop = AssociationHop(
            column: "id",
            otherTable: "notes",
            otherColumn: "subject_id",
            condition: .init(.target, "subject_type", "Shop")
        )
        var capture = TableCapture(table: "shops", primaryKey: "id")
        capture.affected = [AffectedCapture(record: Self.record("Note", "notes"), path: [hop], columns: ["name"])]
        try await run(kind, tables: [Self.notes], capture) { trial in
            try await trial.change(
                "INSERT INTO notes VALUES (1, 1, 'Shop', 'x'), (2, 1, 'Area', 'y')",
                Trial.shop,
                "UPDATE shops SET region = 'north'",
                "UPDATE shops SET name = 'Other'"
            )
            #expect(try await trial.harness.pending() == ["note_updated Note:1 t -", "note_updated Note:1 t -"])
        }
    }

    @Test(
        "a deletion keeps the columns it is asked to, and a topic may have one partition key for all",
        arguments: TestDatabaseKind.available
    )
    func keptColumns(_ kind: TestDatabaseKind) async throws {
        var capture = TableCapture(table: "shops", primaryKey: "id")
        capture.records = [
            Self.record("Shop", "shops", partitionKey: .constant("it's one"), keeping: ["name", "region"])
        ]
        try await run(kind, tables: [], capture) { trial in
            try await trial.change(Trial.shop, "UPDATE shops SET name = 'Other'", "DELETE FROM shops")
            #expect(
                try await trial.harness.pending() == [
                    "shop_created Shop:1 t it's one", "shop_updated Shop:1 t it's one",
                    "shop_destroyed Shop:1 t it's one",
                ]
            )
            let kept: JSON.Object = ["name": .array([.string("Other"), .null]), "region": .array([.null, .null])]
            #expect(try await trial.changesets() == [nil, nil, .object(kept)])
        }
    }

    @Test(
        "a table between two models may have a key of several columns, or none",
        arguments: TestDatabaseKind.available,
        ["PRIMARY KEY (area_id, shop_id)", "CHECK (area_id > 0)"]
    )
    func joinTables(_ kind: TestDatabaseKind, _ key: String) async throws {
        let hop = AssociationHop(column: "shop_id", otherTable: "shops", otherColumn: "id")
        var capture = TableCapture(table: "area_shops", primaryKey: "id")
        capture.affected = [
            AffectedCapture(record: Self.record("Shop", "shops"), path: [hop], columns: ["area_id", "shop_id"])
        ]
        let table = "CREATE TABLE area_shops (area_id INTEGER NOT NULL, shop_id INTEGER NOT NULL, \(key))"
        try await run(kind, tables: [table], capture) { trial in
            try await trial.change(
                "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'a'), (2, 7, 'b'), (3, 7, 'c')",
                "INSERT INTO area_shops VALUES (1, 1), (1, 3)",
                "DELETE FROM dionysus_outboxes",
                "UPDATE area_shops SET shop_id = 2 WHERE shop_id = 1"
            )
            #expect(
                try await trial.harness.pending().sorted() == ["shop_updated Shop:1 t -", "shop_updated Shop:2 t -"]
            )
        }
    }
}
