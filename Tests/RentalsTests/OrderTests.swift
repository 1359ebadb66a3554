import Dionysus
import DionysusEmbedded
import DionysusPostgres
import DionysusSQLite
import Foundation
import TestSupport
import Testing

/// The order of the log when many relays share the work and the broker rejects a tenth of the messages.
@Suite(.serialized, .timeLimit(.minutes(10))) struct OrderTests {
    private static let shelves = 200
    private static let changes = 20_000
    private static let writers = 4
    private static let models = [("Guest", "guests"), ("Stay", "stays"), ("Invoice", "invoices")]

    @Test(
        "four relays and a broker that fails a tenth of the sends keep the order of records and of partition keys",
        arguments: TestDatabaseKind.available
    )
    func order(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryLocation(kind) { location, database, directory in
            let tool = Installation.executable(named: "OrderTool").path
            #expect(await (try RunningProcess(tool, ["migrate", location], environment: [:])).result().status == 0)
            let log = "\(directory)/log.sqlite"
            let failures = (1...4).map { "\(directory)/failed-\($0)" }
            let relays = try failures.map { file in
                try RunningProcess(tool, ["relay", location, log, file], environment: [:])
            }
            try await write(to: database)
            try await untilPublished(database)
            for relay in relays {
                let result = await relay.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            let broker = try EmbeddedBroker(path: log)
            let published = try await readAll("v1_shared", from: broker)
            await broker.close()
            let failed = try Dictionary(
                failures.flatMap { try String(contentsOfFile: $0, encoding: .utf8).split(separator: "\n") }
                    .compactMap { failure(String($0)) },
                uniquingKeysWith: max
            )
            let rows = try await outboxRows(of: database)
            #expect(rows.count >= Self.changes)
            #expect(failed.count > Self.changes / 20)
            let places = Log(published)
            expectNothingMissing(rows, places)
            expectOrderOfRecords(rows, places)
            expectOrderOfPartitionKeys(rows, places, failed: failed)
            try await expectFinalState(of: database, published)
        }
    }

    // MARK: Writing

    /// Each writer has its own shelves, so that the rows of a partition key are committed in the order of their ids.
    private func write(to database: any CapturingDatabase) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<Self.writers {
                group.addTask {
                    var random = SystemRandomNumberGenerator()
                    let own = (0..<Self.shelves).filter { $0 % Self.writers == writer }
                    for shelf in own {
                        for (_, table) in Self.models {
                            let insert: SQL =
                                "INSERT INTO \(identifier: table) (id, shelf, value) VALUES (\(shelf), \(shelf), 0)"
                            _ = try await database.transaction(.write) { try $0.run(insert) }
                        }
                    }
                    for number in 1...(Self.changes / Self.writers) {
                        guard let shelf = own.randomElement(using: &random),
                            let table = Self.models.randomElement(using: &random)?.1
                        else { continue }
                        let statements = Self.change(table, shelf, number, isDeletion: Int.random(in: 0..<50) == 0)
                        _ = try await database.transaction(.write) { try $0.run(statements) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// An update; sometimes a deletion, or the re-creation of a deleted record.
    private static func change(_ table: String, _ shelf: Int, _ number: Int, isDeletion: Bool) -> [SQL] {
        if isDeletion { return ["DELETE FROM \(identifier: table) WHERE id = \(shelf)"] }
        return [
            """
            INSERT INTO \(identifier: table) (id, shelf, value) VALUES (\(shelf), \(shelf), \(number))
            ON CONFLICT (id) DO UPDATE SET value = excluded.value
            """
        ]
    }

    private func untilPublished(_ database: any CapturingDatabase) async throws {
        var pending: Int64 = 1
        while pending > 0 {
            pending =
                try await database.transaction(.snapshot) { transaction in
                    try transaction.run("SELECT count(*) FROM dionysus_outboxes WHERE published_at IS NULL")
                        .first?
                        .integer(0)
                } ?? 0
            if pending > 0 { try await ContinuousClock().sleep(for: .milliseconds(200)) }
        }
    }

    // MARK: Checking

    private struct OutboxRow {
        let id: Int64
        let record: String
        let partitionKey: String
        let hasNote: Bool
    }

    /// The position of each row's first message, and the version of the latest batch that published it: several did if
    /// an acknowledgement was lost.
    private struct Log {
        private(set) var places: [Int64: (place: Int, firstVersion: Int64, lastVersion: Int64)] = [:]

        init(_ messages: [PublishedMessage]) {
            for (place, message) in messages.enumerated() {
                guard let id = message.headers[HeaderName.eventID].flatMap(rowID) else { continue }
                let first = places[id] ?? (place, message.version, message.version)
                // A relay that has lost its lane may publish late, with a lower version.
                places[id] = (first.place, first.firstVersion, max(first.lastVersion, message.version))
            }
        }
    }

    private func outboxRows(of database: any CapturingDatabase) async throws -> [OutboxRow] {
        try await database.transaction(.snapshot) { transaction in
            try transaction.run(
                """
                SELECT id, resource_class || ':' || resource_id, partition_key, error_message
                FROM dionysus_outboxes ORDER BY id
                """
            )
            .rows
            .map { row in
                OutboxRow(
                    id: try row.integer(0) ?? 0,
                    record: try row.text(1) ?? "",
                    partitionKey: try row.text(2) ?? "",
                    hasNote: try row.text(3)?.hasPrefix("not published") == true
                )
            }
        }
    }

    /// Every row has its message, or a note that explains why it needs none.
    private func expectNothingMissing(_ rows: [OutboxRow], _ log: Log) {
        let missing = rows.filter { !$0.hasNote && log.places[$0.id] == nil }
        #expect(missing.isEmpty, "rows without a message: \(missing.prefix(5))")
    }

    private func expectOrderOfRecords(_ rows: [OutboxRow], _ log: Log) {
        for (record, rows) in Dictionary(grouping: rows, by: \.record) {
            let places = rows.compactMap { log.places[$0.id]?.place }
            #expect(places == places.sorted(), "\(record)")
        }
    }

    /// Of two rows with the same partition key, the lower id comes first, unless its record was held when the other's
    /// batch was claimed: one of its rows, this one or an earlier one, had failed and was unsettled.
    /// - Parameter failed: The version of each failed row's last failure.
    private func expectOrderOfPartitionKeys(_ rows: [OutboxRow], _ log: Log, failed: [Int64: Int64]) {
        var overtaken = 0
        for (key, rows) in Dictionary(grouping: rows, by: \.partitionKey) {
            // The batch up to which each record was held.
            var heldUntil: [String: Int64] = [:]
            // A record with a row whose last attempt failed and that a later row made superfluous is held until that
            // row's batch.
            var isHeld: Set<String> = []
            for (index, row) in rows.enumerated() {
                let lastFailure = failed[row.id]
                guard let entry = log.places[row.id] else {
                    if lastFailure != nil { isHeld.insert(row.record) }
                    continue
                }
                if isHeld.remove(row.record) != nil || lastFailure != nil {
                    heldUntil[row.record] = max(heldUntil[row.record] ?? 0, entry.lastVersion)
                }
                if let lastFailure, lastFailure >= entry.lastVersion { isHeld.insert(row.record) }
                let overtakers = rows[index...].filter { $0.record != row.record }.compactMap { log.places[$0.id] }
                    .filter { $0.place < entry.place }
                guard let last = overtakers.map(\.firstVersion).max() else { continue }
                overtaken += 1
                let held = heldUntil[row.record] ?? 0
                #expect(held >= last, "row \(row.id) of \(key) was overtaken while nothing held its record")
            }
        }
        // A tenth of the sends fails, so that some records must have been held.
        #expect(overtaken > 0)
    }

    private func expectFinalState(of database: any CapturingDatabase, _ messages: [PublishedMessage]) async throws {
        let last = Dictionary(messages.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        for (model, table) in Self.models {
            let values = try await database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT id, value FROM \(identifier: table)").rows
                    .map { (try $0.integer(0) ?? 0, try $0.integer(1) ?? 0) }
            }
            let present = Dictionary(uniqueKeysWithValues: values)
            for id in 0..<Int64(Self.shelves) {
                guard let message = last["\(model):\(id)"] else {
                    Issue.record("no message of \(model):\(id)")
                    continue
                }
                if let value = present[id] {
                    #expect(message.payload["value"] == .integer(value), "\(model):\(id)")
                } else {
                    #expect(message.event.hasSuffix("_destroyed"), "\(model):\(id)")
                }
            }
        }
    }
}

/// The outbox id and the version in a relay's line about what failed.
private func failure(_ line: String) -> (Int64, Int64)? {
    let parts = line.split(separator: " ")
    guard parts.count == 2, let id = rowID(String(parts[0])), let version = Int64(parts[1]) else { return nil }
    return (id, version)
}

/// The outbox id in an event's id.
private func rowID(_ eventID: String) -> Int64? { eventID.split(separator: "-").last.flatMap { Int64($0) } }

/// An empty database with a URL for other processes, and a directory.
private func withTemporaryLocation(
    _ kind: TestDatabaseKind,
    _ body: (String, any CapturingDatabase, String) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        switch kind {
        case .sqlite:
            let path = "\(directory)/source.sqlite"
            let database = try SQLiteDatabase(path: path)
            try await body(path, database, directory)
            await database.close()
        case .postgres:
            try await withTemporaryPostgresURL { url in
                let database = try PostgresDatabase(url: url)
                try await body(url, database, directory)
                await database.close()
            }
        }
    }
}
