import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// Which change becomes which event, whoever captures it.
@Suite struct CaptureEventTests {
    /// A change of a shop that is there, and what is recorded of it.
    struct Change: Sendable, CustomTestStringConvertible {
        let rule: String
        var before: [String] = []
        let statement: String
        let events: [String]
        var testDescription: String { rule }

        static let close = "UPDATE shops SET closed_at = '2026-01-01'"
    }

    static let changes = [
        Change(
            rule: "insert: created",
            statement: "INSERT INTO shops (id, account_id, name) VALUES (2, 7, 'New')",
            events: ["shop_created Shop:2 v1_shops 7"]
        ),
        Change(rule: "update, nothing changed: none", statement: "UPDATE shops SET name = name", events: []),
        Change(
            rule: "update that sets the soft-delete column: destroyed",
            statement: Change.close,
            events: ["shop_destroyed Shop:1 v1_shops 7"]
        ),
        Change(
            rule: "update that changes the soft-delete column from one value to another: destroyed",
            before: [Change.close],
            statement: "UPDATE shops SET closed_at = '2026-02-02'",
            events: ["shop_destroyed Shop:1 v1_shops 7"]
        ),
        Change(
            rule: "update that clears the soft-delete column: created",
            before: [Change.close],
            statement: "UPDATE shops SET closed_at = NULL",
            events: ["shop_created Shop:1 v1_shops 7"]
        ),
        Change(
            rule: "update of another column while visible: updated",
            statement: "UPDATE shops SET name = 'Round the corner'",
            events: ["shop_updated Shop:1 v1_shops 7"]
        ),
        Change(
            rule: "update of the primary key: destroyed for the old id, created for the new",
            statement: "UPDATE shops SET id = 9",
            events: ["shop_created Shop:9 v1_shops 7", "shop_destroyed Shop:1 v1_shops 7"]
        ),
        Change(
            rule: "delete: destroyed",
            statement: "DELETE FROM shops",
            events: ["shop_destroyed Shop:1 v1_shops 7"]
        ),
        Change(
            rule: "delete while soft-deleted: destroyed",
            before: [Change.close],
            statement: "DELETE FROM shops",
            events: ["shop_destroyed Shop:1 v1_shops 7"]
        ),
    ]

    static let renameClosed = Change(
        rule: "update of another column while soft-deleted",
        before: [Change.close],
        statement: "UPDATE shops SET name = 'Round the corner'",
        events: []
    )

    private func check<Choice: CaptureChoice>(
        _ kind: TestDatabaseKind,
        _ change: Change,
        _ choice: Choice.Type
    ) async throws {
        try await CaptureTrial<Choice>
            .run(kind) { trial in
                try await trial.change(CaptureTrial<Choice>.shop)
                for statement in change.before { try await trial.change(statement) }
                try await trial.harness.settle()
                try await trial.change(change.statement)
                #expect(try await trial.harness.pending().sorted() == change.events)
            }
    }

    @Test("each change is captured by triggers as its event", arguments: TestDatabaseKind.available, changes)
    func triggers(_ kind: TestDatabaseKind, _ change: Change) async throws {
        try await check(kind, change, ByTriggers.self)
    }

    @Test("each change is recorded by the application as its event", arguments: TestDatabaseKind.available, changes)
    func application(_ kind: TestDatabaseKind, _ change: Change) async throws {
        try await check(kind, change, ByApplication.self)
    }

    @Test(
        "a change of a soft-deleted record is not captured unless the model opts in",
        arguments: TestDatabaseKind.available
    )
    func updatesAfterSoftDelete(_ kind: TestDatabaseKind) async throws {
        try await check(kind, Self.renameClosed, ByTriggers.self)
        try await check(kind, Self.renameClosed, ByApplication.self)
        let updated = Change(
            rule: "opted in",
            before: Self.renameClosed.before,
            statement: Self.renameClosed.statement,
            events: ["shop_updated Shop:1 v1_shops 7"]
        )
        try await check(kind, updated, OptedIn.ByTriggers.self)
        try await check(kind, updated, OptedIn.ByApplication.self)
    }

    @Test(
        "a part's change follows the rule that its soft-deleted parent has for updates",
        arguments: TestDatabaseKind.available
    )
    func parts(_ kind: TestDatabaseKind) async throws {
        func events<Choice: CaptureChoice>(_ choice: Choice.Type) async throws -> [String] {
            var events: [String] = []
            try await CaptureTrial<Choice>
                .run(kind) { trial in
                    try await trial.change(CaptureTrial<Choice>.shop, Change.close)
                    try await trial.harness.settle()
                    try await trial.change("INSERT INTO offers (id, shop_id, price) VALUES (1, 1, 5)")
                    events = try await trial.harness.pending()
                }
            return events
        }
        #expect(try await events(ByTriggers.self) == [])
        #expect(try await events(OptedIn.ByTriggers.self) == ["shop_updated Shop:1 v1_shops 7"])
    }

    @Test(
        "an update that changes a primary key in bulk pairs no row with another's",
        arguments: TestDatabaseKind.available
    )
    func shiftedKeys(_ kind: TestDatabaseKind) async throws {
        try await CaptureTrial<ByTriggers>
            .run(kind) { trial in
                try await trial.change(
                    "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'a'), (2, 7, 'b'), (3, 7, 'c')",
                    "DELETE FROM dionysus_outboxes",
                    "UPDATE shops SET id = id + 100 WHERE id < 3"
                )
                #expect(
                    try await trial.harness.pending().sorted() == [
                        "shop_created Shop:101 v1_shops 7", "shop_created Shop:102 v1_shops 7",
                        "shop_destroyed Shop:1 v1_shops 7", "shop_destroyed Shop:2 v1_shops 7",
                    ]
                )
            }
    }

    @Test(
        "an update that changes one row's key and another's name in one statement captures both",
        arguments: TestDatabaseKind.available
    )
    func keyAndName(_ kind: TestDatabaseKind) async throws {
        try await CaptureTrial<ByTriggers>
            .run(kind) { trial in
                try await trial.change(
                    "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'a'), (2, 7, 'b')",
                    "DELETE FROM dionysus_outboxes",
                    """
                    UPDATE shops SET id = CASE WHEN id = 1 THEN 101 ELSE id END,
                      name = CASE WHEN id = 2 THEN 'changed' ELSE name END
                    """
                )
                #expect(
                    try await trial.harness.pending().sorted() == [
                        "shop_created Shop:101 v1_shops 7", "shop_destroyed Shop:1 v1_shops 7",
                        "shop_updated Shop:2 v1_shops 7",
                    ]
                )
            }
    }
}
