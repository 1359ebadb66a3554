import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// Rows of records that have moved to another partition key, and so to another lane.
@Suite struct MoveTests {
    fileprivate enum State { case fresh, retrying, parked, published }

    fileprivate struct Earlier {
        var key: String?
        var id = "7"
        var topic = "v3_rentals"
        var state = State.fresh
        var event = "rental_updated"
    }

    @Test(
        "a row of a record that moved waits for its earlier rows in the lane that it left, and for no others",
        arguments: TestDatabaseKind.available
    )
    func waiting(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 8
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let lanes = try await harness.lanes(of: ["Rental:7"] + (1...60).map(String.init))
            let key = try #require(
                (2...60).map(String.init).first { ![lanes["1"], lanes["Rental:7"]].contains(lanes[$0]) }
            )
            let third = try #require((2...60).map(String.init).first { ![lanes["1"], lanes[key]].contains(lanes[$0]) })
            let moved = #"{"account_id":[1,\#(key)]}"#
            let cases: [(Earlier, String, waits: Bool)] = [
                (Earlier(key: "1"), moved, true),
                (Earlier(key: "1", state: .retrying), moved, true),
                (Earlier(key: "1", state: .parked), moved, false),
                (Earlier(key: "1", state: .published), moved, false),
                (Earlier(key: "1", id: "8"), moved, false),
                (Earlier(key: "1", topic: "v4_rentals"), moved, false),
                (Earlier(key: third), moved, false),
                (Earlier(key: key), moved, false),
                // It had no partition key before.
                (Earlier(key: nil), #"{"account_id":[null,\#(key)]}"#, true),
                (Earlier(key: "1"), #"{"account_id":["1","\#(key)"]}"#, true),
                // Restored, so that it may have been anywhere.
                (Earlier(key: third), #"{"account_id":[\#(key),\#(key)]}"#, true),
                // Its changeset writes the value otherwise than the partition key.
                (Earlier(key: third), #"{"account_id":["a","b"]}"#, true),
                (Earlier(key: third), #"{"name":["a","b"]}"#, false),
                (Earlier(key: third, event: "rental_destroyed"), #"{"name":["a","b"]}"#, false),
            ]
            for (earlier, changeset, waits) in cases {
                try await harness.settle()
                try await harness.record(earlier)
                try await harness.record(Earlier(key: key), changeset: changeset)
                // Behind the moved row.
                try await harness.record(Earlier(key: "1"))
                try await harness.record(Earlier(key: third))
                let waiting = try await harness.waiting(inLaneOf: key, lanes)
                #expect(waiting == waits, "\(earlier) \(changeset)")
            }
        }
    }

    @Test(
        "a row of a record that was deleted, or soft-deleted, waits until that is published, wherever it is",
        arguments: TestDatabaseKind.available
    )
    func followers(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 8
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let lanes = try await harness.lanes(of: (1...60).map(String.init))
            let other = try #require((2...60).map(String.init).first { lanes["1"] != lanes[$0] })
            let (destroyed, created) = ("rental_destroyed", "rental_created")
            let cases: [(Earlier, Earlier, waits: Bool)] = [
                (Earlier(key: other, event: destroyed), Earlier(key: "1", event: created), true),
                (Earlier(key: other, event: destroyed), Earlier(key: "1", event: destroyed), true),
                (Earlier(key: other, state: .retrying, event: destroyed), Earlier(key: "1", event: created), true),
                (Earlier(key: other, state: .parked, event: destroyed), Earlier(key: "1", event: created), false),
                (Earlier(key: other, state: .published, event: destroyed), Earlier(key: "1", event: created), false),
                (Earlier(key: other, id: "8", event: destroyed), Earlier(key: "1", event: created), false),
                (Earlier(key: other, topic: "v4_rentals", event: destroyed), Earlier(key: "1", event: created), false),
                (Earlier(key: "1", event: destroyed), Earlier(key: "1", event: created), false),
                (Earlier(key: other, event: created), Earlier(key: "1", event: created), false),
            ]
            for (earlier, later, waits) in cases {
                try await harness.settle()
                try await harness.record(earlier)
                try await harness.record(later, changeset: "{}")
                // Behind it.
                try await harness.record(Earlier(key: other, event: destroyed))
                let waiting = try await harness.waiting(inLaneOf: "1", lanes)
                #expect(waiting == waits, "\(earlier) \(later)")
            }
            // It moved in the statement that soft-deleted it.
            try await harness.settle()
            try await harness.record(Earlier(key: other, event: created))
            try await harness.record(
                Earlier(key: "1", event: destroyed),
                changeset: #"{"account_id":[\#(other),1]}"#
            )
            #expect(try await harness.waiting(inLaneOf: "1", lanes))
        }
    }

    @Test(
        "a record that moves away and back is published, also where consecutive changes are published once",
        arguments: TestDatabaseKind.available
    )
    func duplicates(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 8
        settings.removesConsecutiveDuplicates = true
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let key = try await harness.publishRental().key
            for change: SQL in [
                "UPDATE rentals SET price = 1", "UPDATE rentals SET account_id = \(key)",
                "UPDATE rentals SET account_id = 1",
                "UPDATE rentals SET price = 2", "DELETE FROM rentals",
                "INSERT INTO rentals (id, account_id, name) VALUES (1, \(key), 'again')",
            ] {
                try await harness.write(change)
            }
            let pipeline = try await harness.pipeline()
            for _ in 1...6 { try await pipeline.publishAllLanes() }
            #expect(try await harness.pending() == [])
            let messages = try await harness.messages(in: "v3_rentals")
            expectRisingVersions(messages)
            #expect(messages.max { $0.version < $1.version }?.payload["name"] == .string("again"))
        }
    }

    @Test(
        "a moved record's message has a higher version than those that were published after its lane was claimed",
        arguments: TestDatabaseKind.available
    )
    func versions(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 8
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let (key, former, lane) = try await harness.publishRental()
            for change: SQL in [
                "UPDATE rentals SET account_id = \(key)", "DELETE FROM rentals",
                "INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'again')",
            ] {
                try await harness.write("UPDATE rentals SET price = price + 1", change)
                let pipeline = try await harness.pipeline()
                for lanes in [[former, lane], [lane, former]] {
                    // What is claimed first is published last.
                    let claim = try await pipeline.take(lanes[1])
                    _ = try await pipeline.publishBatch(ofLane: lanes[0])
                    _ = try await pipeline.publishBatch(ofLane: lanes[1], claim)
                }
                try await harness.relay()
                expectRisingVersions(try await harness.messages(in: "v3_rentals"))
            }
            #expect(try await harness.pending() == [])
        }
    }

    @Test(
        "what is asked about moved rows reads one lane, from its mark up to the moved rows",
        arguments: TestDatabaseKind.available
    )
    func plan(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let ids = (1...20_000).map { DatabaseValue.integer($0) }
            let now = harness.database.outbox.time(shiftedBy: 0)
            try await harness.write(
                """
                INSERT INTO dionysus_outboxes
                  (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
                SELECT 'Rental', CAST(id AS text), 'rental_updated', 'v3_rentals', CAST(id % 100 AS text), \(now), \(now)
                FROM \(harness.database.dialect.rows([BulkColumn("id", .integer, ids)], alias: "v"))
                """,
                "ANALYZE"
            )
            let outbox = try await harness.pipeline().outbox
            let rows = try await harness.database.transaction(.write) { transaction in
                try transaction.run(outbox.claim(lane: 0, limit: 500, onFailure: .holdRecord)).rows
                    .map { try OutboxRow($0) }
            }
            for query in outbox.earlierRows(of: rows, inLane: 1) {
                let plan = try await harness.plan(of: query, kind)
                let bounds = kind == .postgres ? "(id > $" : "id>? AND id<?"
                #expect(plan.contains { $0.contains("dionysus_outboxes_pending") }, "\(plan)")
                #expect(plan.contains { $0.contains(bounds) }, "\(plan)")
            }
            for query in [outbox.someDestruction(), outbox.earlierDestructions(of: rows, outsideLane: 0)] {
                let plan = try await harness.plan(of: query, kind)
                #expect(plan.contains { $0.contains("dionysus_outboxes_destroyed") }, "\(plan)")
                #expect(
                    !plan.contains {
                        $0.contains("Seq Scan on dionysus_outboxes")
                            || $0.hasPrefix("SCAN o ") && !$0.contains("destroyed")
                    },
                    "\(plan)"
                )
            }
        }
    }
}

/// In each partition, versions never decrease.
private func expectRisingVersions(_ messages: [PublishedMessage], at location: SourceLocation = #_sourceLocation) {
    for (_, messages) in Dictionary(grouping: messages, by: \.partition) {
        #expect(messages.map(\.version) == messages.map(\.version).sorted(), sourceLocation: location)
    }
}

extension ProducerHarness {
    /// Publishes a rental of account 1, beside another account whose rentals are in another lane.
    /// - Returns: The other account's id, the rental's lane and the lane of the other account.
    fileprivate func publishRental() async throws -> (key: Int, former: Int, lane: Int) {
        let lanes = try await lanes(of: (1...60).map(String.init))
        let key = try #require((2...60).first { lanes["1"] != lanes["\($0)"] })
        try await write(
            CaptureTests.account,
            "INSERT INTO accounts (id, name) VALUES (\(key), 'Second')",
            CaptureTests.rental
        )
        try await relay()
        return (key, lanes["1"] ?? 0, lanes["\(key)"] ?? 0)
    }

    fileprivate func lanes(of texts: [String]) async throws -> [String: Int] {
        let column = BulkColumn("text", .text, texts.map { .text($0) })
        let lane = SQL(raw: database.dialect.laneExpression("v.text", lanes: settings.lanes))
        return try await database.transaction(.snapshot) { [database] transaction in
            let found = try transaction.run(
                "SELECT v.text, \(lane) FROM \(database.dialect.rows([column], alias: "v"))"
            )
            let pairs = try found.rows.map { (try $0.text(0) ?? "", Int(try $0.integer(1) ?? -1)) }
            return Dictionary(uniqueKeysWithValues: pairs)
        }
    }

    fileprivate func record(_ row: MoveTests.Earlier, changeset: String? = nil) async throws {
        let now = database.outbox.time(shiftedBy: 0)
        let later: SQL = "'2999-01-01'"
        let published = row.state == .published ? now : "NULL"
        let failed = [.retrying, .parked].contains(row.state) ? now : "NULL"
        try await write(
            """
            INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, partition_key, changeset,
              published_at, failed_at, retry_at, created_at, updated_at)
            VALUES ('Rental', \(row.id), \(row.event), \(row.topic), \(row.key), \(changeset.map { "'\(raw: $0)'" as SQL } ?? "NULL"),
              \(published), \(failed), \(row.state == .retrying ? later : "NULL"), \(now), \(now))
            """
        )
    }

    /// Whether the moved row waits, which is the only one of its lane that has a changeset.
    fileprivate func waiting(inLaneOf key: String, _ lanes: [String: Int]) async throws -> Bool {
        let outbox = try await pipeline().outbox
        let lane = lanes[key] ?? -1
        return try await database.transaction(.write) { [registry] transaction in
            let claim = outbox.claim(lane: lane, limit: 100, onFailure: .pass)
            let rows = try transaction.run(claim).rows.map { try OutboxRow($0) }
            var (moves, followers): ([OutboxMove], [OutboxRow]) = ([], [])
            for row in rows {
                let publication = try #require(registry.publication(topic: row.topic, modelName: row.resourceClass))
                if let move = row.move(in: publication) { moves.append(move) }
                if row.mayFollowDestruction(in: publication) { followers.append(row) }
            }
            let waiting = try outbox.waitingForAnotherLane(moves, followers, lane: lane, in: &transaction)
            #expect(waiting.isSubset(of: rows.filter { $0.changeset != nil }.map(\.id)))
            return !waiting.isEmpty
        }
    }
}
