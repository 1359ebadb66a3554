import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// Changes of tables without triggers are found by polling.
@Suite
struct PollTests {
    struct Widget: Model {
        var id: Int
        var accountID: Int
        var name: String
        static let captureMethod = CaptureMethod.polling

        enum CodingKeys: String, CodingKey {
            case id, name, accountID = "account_id"
        }
    }

    struct Widgets: Producer {
        var polls: [PolledModel]

        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { Whole(Widget.self) }) {
                Topic("widgets", partitionKey: "account_id") { Publish(Widget.self) }
            }
        }
    }

    /// A source with a table of widgets, and what the polls of it publish.
    private struct Trial: Sendable {
        let harness: ProducerHarness

        func write(_ statements: SQL...) async throws {
            for statement in statements { try await harness.write(statement) }
        }

        func add(_ id: Int, at time: String, name: String = "x") async throws {
            try await write(
                "INSERT INTO widgets (id, account_id, name, updated_at) VALUES (\(id), 7, \(name), \(time))"
            )
        }

        /// Runs every poll once, and publishes what it finds.
        /// - Returns: The events of this round.
        func round() async throws -> [String] {
            let before = try await events().count
            try await harness.relay()
            return Array(try await events().dropFirst(before))
        }

        func events() async throws -> [String] {
            try await harness.messages(in: "v1_widgets")
                .map { message in
                    "\(message.event) \(message.key)"
                }
        }

        /// A batch of a poll, as a relay runs it.
        func step(_ poll: Poll) async throws -> PollStep {
            let outbox = try await harness.database.transaction(.snapshot) { [harness] in
                try Outbox.open(of: harness.database, in: &$0)
            }
            return PollStep(
                poll: poll.element,
                registry: harness.registry,
                outbox: outbox,
                maxPendingRows: harness.settings.genesisMaxPendingRows
            )
        }

        func values(_ query: SQL) async throws -> [String] {
            try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run(query).rows.map { try $0.text(0) ?? "-" }
            }
        }
    }

    private static func run(
        _ kind: TestDatabaseKind,
        _ polls: [Poll],
        _ body: (Trial) async throws -> Void
    ) async throws {
        try await ProducerHarness.run(
            kind,
            producer: Widgets(polls: polls.map(\.element)),
            tables: { transaction in
                let time = transaction.dialect.columnType(.timestamp)
                try transaction.run(
                    """
                    CREATE TABLE widgets (id BIGINT PRIMARY KEY, account_id BIGINT NOT NULL, name TEXT NOT NULL,
                      state TEXT, updated_at \(raw: time), published_at \(raw: time), canceled_at \(raw: time))
                    """
                )
            }
        ) { try await body(Trial(harness: $0)) }
    }

    private static var byTime: Poll { Poll(Widget.self, delay: .zero, by: .time("updated_at")) }

    @Test("records with equal times are all found, and each once", arguments: TestDatabaseKind.available)
    func ties(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.byTime]) { trial in
            let time = (Timestamp.now + -10).description
            let ids = (1...2_500).map { "(\($0), 7, 'x', '\(time)')" }.joined(separator: ", ")
            try await trial.write("INSERT INTO widgets (id, account_id, name, updated_at) VALUES \(raw: ids)")
            #expect(Set(try await trial.round()).count == 2_500)
            #expect(try await trial.events().count == 2_500)
            #expect(try await trial.round() == [])
            // The position is behind it.
            try await trial.add(0, at: time)
            #expect(try await trial.round() == ["widget_updated Widget:0"])
            #expect(try await trial.round() == [])
        }
    }

    @Test("a record is published once for each change, with its partition key", arguments: TestDatabaseKind.available)
    func changes(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.byTime]) { trial in
            try await trial.add(1, at: "2024-01-01 00:00:00")
            try await trial.add(2, at: "2999-01-01 00:00:00")
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            try await trial.write("UPDATE widgets SET name = 'y', updated_at = '2024-01-02 00:00:00' WHERE id = 1")
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            try await trial.write("UPDATE widgets SET canceled_at = updated_at, updated_at = '2024-01-03' WHERE id = 1")
            #expect(try await trial.round() == ["widget_destroyed Widget:1"])
            #expect(try await trial.round() == [])
            let keys = try await trial.values("SELECT DISTINCT partition_key FROM dionysus_outboxes")
            #expect(keys == ["7"])
            let origins = try await trial.values("SELECT DISTINCT origin FROM dionysus_outboxes")
            #expect(origins == ["poll:Widget:time"])
        }
    }

    @Test("a change that a clock dates back is found, once", arguments: TestDatabaseKind.available)
    func clockSetBack(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.byTime]) { trial in
            let now = Timestamp.now
            try await trial.add(1, at: (now + -5).description)
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            try await trial.add(2, at: (now + -1_800).description)
            try await trial.add(3, at: (now + -1_800).description)
            #expect(Set(try await trial.round()) == ["widget_updated Widget:2", "widget_updated Widget:3"])
            #expect(try await trial.round() == [])
            try await trial.write(
                "UPDATE widgets SET name = 'y', updated_at = \((now + -1_700).description) WHERE id = 1"
            )
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            #expect(try await trial.round() == [])
        }
    }

    @Test("what is no longer looked at again is not remembered", arguments: TestDatabaseKind.available)
    func forgetting(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Poll(Widget.self, delay: .zero, by: .time("updated_at", rereading: .seconds(60)))]) {
            trial in
            try await trial.add(1, at: "2024-01-01 00:00:00")
            try await trial.add(2, at: (Timestamp.now + -1).description)
            #expect(try await trial.round().count == 2)
            #expect(try await trial.values("SELECT record_key FROM dionysus_poll_records") == ["2"])
            // Beyond the time that rounds look back, a change is not found.
            try await trial.add(3, at: (Timestamp.now + -600).description)
            #expect(try await trial.round() == [])
        }
    }

    @Test("a first round may begin now", arguments: TestDatabaseKind.available)
    func fromNow(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Poll(Widget.self, delay: .zero, by: .time("updated_at", fromNow: true))]) { trial in
            try await trial.add(1, at: "2024-01-01 00:00:00")
            #expect(try await trial.round() == [])
            try await trial.add(2, at: Timestamp.now.description)
            #expect(try await trial.round() == ["widget_updated Widget:2"])
        }
    }

    @Test("changes younger than the delay wait", arguments: TestDatabaseKind.available)
    func delay(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Poll(Widget.self, delay: .seconds(3_600), by: .time("updated_at"))]) { trial in
            try await trial.add(1, at: (Timestamp.now + -1_800).description)
            try await trial.add(2, at: (Timestamp.now + -7_200).description)
            #expect(try await trial.round() == ["widget_updated Widget:2"])
        }
    }

    @Test("records are found by their state, which is set with their rows", arguments: TestDatabaseKind.available)
    func state(_ kind: TestDatabaseKind) async throws {
        let poll = Poll(
            Widget.self,
            by: .state("state", published: "done", failed: "broken", publishedAt: "published_at")
        )
        try await Self.run(kind, [poll]) { trial in
            for id in 1...4 { try await trial.add(id, at: "2024-01-01") }
            try await trial.write(
                "UPDATE widgets SET state = 'new' WHERE id = 2",
                "UPDATE widgets SET state = 'done' WHERE id = 3",
                "UPDATE widgets SET state = 'broken' WHERE id = 4"
            )
            #expect(try await trial.round() == ["widget_updated Widget:1", "widget_updated Widget:2"])
            let states: SQL = "SELECT state FROM widgets ORDER BY id"
            #expect(try await trial.values(states) == ["done", "done", "done", "broken"])
            let marked: SQL = "SELECT count(*) FROM widgets WHERE published_at IS NOT NULL"
            #expect(try await trial.values(marked) == ["2"])
            #expect(try await trial.round() == [])
            try await trial.write(
                "UPDATE widgets SET state = 'new' WHERE id = 1",
                """
                UPDATE dionysus_outboxes SET published_at = NULL, failed_at = created_at, attempts = 9, retry_at = NULL
                WHERE resource_id = '2'
                """
            )
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            #expect(try await trial.values(states) == ["done", "broken", "done", "broken"])
            // The failure was noted: a new attempt is the application's decision.
            try await trial.write("UPDATE widgets SET state = NULL WHERE id = 2")
            _ = try await trial.round()
            #expect(try await trial.values(states) == ["done", "done", "done", "broken"])
            _ = try await trial.round()
            #expect(try await trial.values(states) == ["done", "done", "done", "broken"])
        }
    }

    @Test("a poll of the full table finds deletions if it is to", arguments: TestDatabaseKind.available)
    func fullTable(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Poll(Widget.self, by: .fullTable(deletions: true))]) { trial in
            for id in 1...3 { try await trial.add(id, at: "2024-01-01") }
            #expect(try await trial.round().count == 3)
            try await trial.write("DELETE FROM widgets WHERE id = 2")
            #expect(
                Set(try await trial.round())
                    == ["widget_updated Widget:1", "widget_updated Widget:3", "widget_destroyed Widget:2"]
            )
            #expect(try await trial.round().count == 2)
            let key = try await trial.values(
                "SELECT partition_key FROM dionysus_outboxes WHERE event_name = 'widget_destroyed'"
            )
            #expect(key == ["7"])
        }
        try await Self.run(kind, [Poll(Widget.self, by: .fullTable)]) { trial in
            try await trial.add(1, at: "2024-01-01")
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            try await trial.write("DELETE FROM widgets")
            #expect(try await trial.round() == [])
        }
    }

    @Test("relays that run at once find each change once between them", arguments: TestDatabaseKind.available)
    func severalRelays(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.byTime, Poll(Widget.self, by: .state("state", published: "1", failed: "2"))]) {
            trial in
            let ids = (1...3_000).map { "(\($0), \($0 % 7), 'x', '2024-01-01 00:00:00')" }.joined(separator: ", ")
            try await trial.write("INSERT INTO widgets (id, account_id, name, updated_at) VALUES \(raw: ids)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { try await trial.harness.relay() } }
                try await group.waitForAll()
            }
            _ = try await trial.round()
            for origin in ["poll:Widget:time", "poll:Widget:state"] {
                let rows = try await trial.values(
                    "SELECT resource_id FROM dionysus_outboxes WHERE origin = \(origin)"
                )
                #expect(rows.count == 3_000 && Set(rows).count == 3_000)
            }
        }
    }

    @Test("a poll whose column is gone waits, and others go on", arguments: TestDatabaseKind.available)
    func brokenPoll(_ kind: TestDatabaseKind) async throws {
        let other = Poll(Widget.self, every: .milliseconds(10), by: .time("published_at"), named: "other")
        let poll = Poll(Widget.self, every: .milliseconds(10), delay: .zero, by: .time("updated_at"))
        try await Self.run(kind, [other, poll]) { trial in
            try await trial.add(1, at: "2024-01-01")
            try await trial.harness.withRelay { batches in
                var published = batches.makeAsyncIterator()
                _ = await published.next()
                try await trial.write("ALTER TABLE widgets RENAME COLUMN published_at TO sent_at")
                try await trial.add(2, at: Timestamp.now.description)
                _ = await published.next()
            }
            #expect(try await trial.events() == ["widget_updated Widget:1", "widget_updated Widget:2"])
            let faults = try await trial.harness.schema.validate()
            #expect(faults.contains { $0.contains("other") && $0.contains("published_at") })
        }
    }

    @Test(
        "what a long transaction commits is found however late it comes",
        arguments: TestDatabaseKind.available.filter { $0 != .sqlite }
    )
    func longTransaction(_ kind: TestDatabaseKind) async throws {
        let poll = Poll(Widget.self, delay: .zero, by: .time("updated_at", rereading: .zero))
        try await Self.run(kind, [poll]) { trial in
            try await trial.add(1, at: "2024-01-01")
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            let rendezvous = Rendezvous()
            async let late: Void = trial.harness.database.transaction(.write) { transaction in
                try transaction.run(
                    "INSERT INTO widgets (id, account_id, name, updated_at) VALUES (2, 7, 'late', now())"
                )
                rendezvous.arriveAndWait()
            }
            await rendezvous.awaitArrivals()
            for id in 3...5 {
                try await trial.add(id, at: Timestamp.now.description)
                #expect(try await trial.round() == ["widget_updated Widget:\(id)"])
            }
            rendezvous.letGo()
            try await late
            #expect(try await trial.round() == ["widget_updated Widget:2"])
            for _ in 0..<3 { #expect(try await trial.round() == []) }
        }
    }

    @Test(
        "two changes with the same time are two versions",
        arguments: TestDatabaseKind.available.filter { $0 != .sqlite }
    )
    func sameTime(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, [Self.byTime]) { trial in
            try await trial.add(1, at: (Timestamp.now + -60).description)
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            try await trial.write("UPDATE widgets SET name = 'y' WHERE id = 1")
            #expect(try await trial.round() == ["widget_updated Widget:1"])
            #expect(try await trial.round() == [])
        }
    }

    @Test(
        "what a batch has done stands, and what it hasn't is done by the next process",
        arguments: TestDatabaseKind.available
    )
    func interrupted(_ kind: TestDatabaseKind) async throws {
        struct Killed: Error {}
        try await Self.run(kind, [Self.byTime]) { trial in
            let time = (Timestamp.now + -10).description
            let ids = (1...2_500).map { "(\($0), 7, 'x', '\(time)')" }.joined(separator: ", ")
            try await trial.write("INSERT INTO widgets (id, account_id, name, updated_at) VALUES \(raw: ids)")
            let step = try await trial.step(Self.byTime)
            let run: @Sendable () async throws -> PollStep.Outcome = {
                try await trial.harness.database.transaction(.write) { try step.run(isForced: true, in: &$0) }
            }
            #expect(try await run() == .found(0))
            #expect(try await run() == .found(1_000))
            await #expect(throws: Killed.self) {
                try await trial.harness.database.transaction(.write) { transaction in
                    _ = try step.run(isForced: true, in: &transaction)
                    throw Killed()
                }
            }
            #expect(try await run() == .found(1_000))
            let keys = try await trial.round()
            #expect(keys.count == 2_500 && Set(keys).count == 2_500)
        }
    }

    @Test("polls that contradict the declaration or the database are faults", arguments: TestDatabaseKind.available)
    func faults(_ kind: TestDatabaseKind) async throws {
        struct Captured: Model {
            var id: Int
            static let tableName = "widgets"
        }
        struct Mixed: Producer {
            var namespaces: [Namespace] {
                Namespace("v1", serializers: Serializers { Whole(Widget.self) }) {
                    Topic("widgets") { Publish(Widget.self) }
                }
            }
            var polls: [PolledModel] {
                Poll(Widget.self, every: .zero, by: .time("name_of_nothing"))
                Poll(Widget.self, by: .time("id"), named: "number")
                Poll(Widget.self, by: .state("state", published: "a", failed: "a"))
                Poll(Captured.self, by: .fullTable)
            }
        }
        try await Self.run(kind, [Self.byTime]) { trial in
            let schema = OutboxSchema(database: trial.harness.database, registry: Registry(Mixed()))
            let faults = try await schema.validate()
            for expected in [
                "every must be longer", "no column name_of_nothing", "column id of table widgets holds no times",
                "are the same state", "changes of Captured are captured by triggers", "nothing about Captured",
            ] {
                #expect(faults.contains { $0.contains(expected) }, "\(expected)")
            }
            let unpolled = OutboxSchema(database: trial.harness.database, registry: Registry(Widgets(polls: [])))
            #expect(try await unpolled.validate().contains { $0.contains("no poll of it is declared") })
        }
    }
}
