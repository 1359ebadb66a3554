import Dionysus
import DionysusEmbedded
import DionysusEvents
import DionysusKafka
import DionysusKafkaTesting
import DionysusPostgres
import Foundation
import TestSupport
import Testing

@testable import StreamTool

/// Processes that are killed at any point.
@Suite struct KillTests {
    private func tool(_ arguments: [String], killAt point: Int? = nil) throws -> RunningProcess {
        let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let directory = tests?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
        let environment = point.map { ["STREAM_KILL_AT": "\($0)"] } ?? [:]
        return try RunningProcess(directory.appending(path: "StreamTool").path, arguments, environment: environment)
    }

    /// Runs a tool that is killed at a point, and once more to its end.
    /// - Returns: Whether it was killed; false if it ended before.
    private func survive(_ command: String, _ location: String, killAt point: Int) async throws -> Bool {
        let killed = try await tool([command, location], killAt: point).result()
        if killed.status == 0 { return false }
        try #require(killed.status == 128 + SIGKILL, "\(killed.errors)")
        let finished = try await tool([command, location]).result()
        try #require(finished.status == 0, "\(finished.errors)")
        return true
    }

    /// Runs a body with a database that other processes can open.
    private func run(
        _ kind: TestDatabaseKind,
        onKafka: Bool = false,
        _ body: (EventsHarness, String) async throws -> Void
    ) async throws { try await EventsHarness.runShared(kind, onKafka: onKafka, body) }

    @Test(arguments: TestDatabaseKind.available)
    func `appenders that are killed leave streams without gaps, and every event takes effect once`(
        _ kind: TestDatabaseKind
    ) async throws {
        let streams = 200
        try await run(kind, onKafka: kind == .postgres) { harness, location in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            func count() async throws -> Int {
                Int(try await harness.rows("SELECT count(*) FROM dionysus_stream_events").first ?? "") ?? 0
            }
            for round in 1...3 {
                let appenders = try (0..<4).map { _ in try tool(["append", location, "\(streams)"]) }
                while try await count() < round * 200 {
                    for appender in appenders { try #require(appender.isRunning, "\(appender.errors)") }
                }
                for appender in appenders { await appender.killAndWait() }
            }
            try await harness.relay()
            try await harness.consume(Follow(board))
            var expected: [String] = []
            for id in (0..<streams).map(String.init).sorted() {
                let positions = try await store.read(StreamName("account", id), on: harness.database).map(\.position)
                #expect(positions == Array(1..<Int64(positions.count + 1)))
                if !positions.isEmpty { expected.append("\(id) \(positions.count) \(positions.count)") }
            }
            #expect(try await harness.balances() == expected)
            // Each event once in the log, in the order of its stream.
            let published = try await readAll("bank_events", from: harness.broker)
            #expect(published.count == (try await count()))
            var last: [String: Int64] = [:]
            for message in published {
                guard case .string(let stream)? = message.payload["stream"],
                    case .integer(let position)? = message.payload["position"]
                else { throw DionysusError(.malformed, "a message without stream or position") }
                #expect(position == (last[stream] ?? 0) + 1)
                last[stream] = position
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a rebuild that is killed again and again makes the same table`(_ kind: TestDatabaseKind) async throws {
        try await run(kind) { harness, location in
            try await harness.write { try Projector(Balances(), store).create(in: &$0) }
            for stream in 0..<5 { try await harness.append(to: StreamName("account", "\(stream)"), count: 10) }
            var kills = 0
            for point in 1... {
                let result = try await tool(["rebuild", location, "7"], killAt: point).result()
                if result.status == 0 { break }
                try #require(result.status == 128 + SIGKILL, "\(result.errors)")
                kills += 1
            }
            #expect(kills > 10)
            #expect(try await harness.balances() == (0..<5).map { "\($0) 55 10" })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a process manager that is killed at every statement does everything once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await run(kind) { harness, location in
            var point = 0
            while true {
                point += 1
                try await harness.append(Opened(owner: "Ada"), to: StreamName("account", "\(point)"))
                guard try await survive("process", location, killAt: point) else { break }
                #expect(try await harness.names(StreamName("gift", "\(point)")) == ["1 Deposited"])
            }
            #expect(point > 10)
            let timers = try await harness.rows("SELECT count(*), count(DISTINCT process_id) FROM dionysus_timers")
            #expect(timers == ["\(point) \(point)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a process that is killed while it goes on and stops does everything once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await run(kind) { harness, location in
            var point = 0
            while true {
                point += 1
                let stream = StreamName("account", "\(point)")
                try await harness.append(Opened(owner: "Ada"), Deposited(amount: 1), Closed(), to: stream)
                guard try await survive("process", location, killAt: point) else { break }
                #expect(try await harness.names(StreamName("gift", "\(point)")) == ["1 Deposited"])
            }
            #expect(point > 20)
            let states = try await harness.rows(
                "SELECT DISTINCT state FROM dionysus_processes WHERE ended_at IS NOT NULL"
            )
            #expect(states.map { $0.replacing(" ", with: "") } == ["{\"deposits\":1}"])
            #expect(try await harness.rows("SELECT id FROM dionysus_processes WHERE ended_at IS NULL").isEmpty)
            #expect(try await harness.rows("SELECT id FROM dionysus_timers").isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a process manager that is killed while timers fire does everything once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await run(kind) { harness, location in
            var point = 0
            while true {
                point += 1
                try await harness.append(Opened(owner: "Ada"), to: StreamName("account", "\(point)"))
                try #require(try await tool(["process", location]).result().status == 0)
                guard try await survive("timers", location, killAt: point) else { break }
                #expect(try await harness.names(StreamName("account", "\(point)")) == ["1 Opened", "2 Closed"])
            }
            #expect(point > 5)
            #expect(try await harness.rows("SELECT id FROM dionysus_timers").isEmpty)
        }
    }
}

extension EventsHarness {
    /// Runs a body with a database that other processes can open, and its location.
    /// - Parameter onKafka: Whether the log is Kafka's, and not the embedded one.
    static func runShared(
        _ kind: TestDatabaseKind,
        onKafka: Bool = false,
        _ body: (EventsHarness, String) async throws -> Void
    ) async throws {
        let cluster = onKafka ? try MockCluster(brokers: 1) : nil
        defer { cluster?.close() }
        try await withTemporaryDirectory { directory in
            let broker: any MessageBroker =
                if let cluster {
                    try KafkaBroker(bootstrapServers: cluster.bootstrapServers)
                } else {
                    try EmbeddedBroker(path: "\(directory)/log.sqlite")
                }
            switch kind {
            case .sqlite:
                let path = "\(directory)/shared.sqlite"
                try await run(try sqliteDatabase(at: path, busyTimeout: .seconds(30)), broker) {
                    try await body($0, path)
                }
            case .postgres:
                try await withTemporaryPostgresURL { url in
                    try await run(try PostgresDatabase(url: url), broker) { try await body($0, url) }
                }
            }
        }
    }

    private static func run(
        _ database: any CapturingDatabase,
        _ broker: any MessageBroker,
        _ body: (EventsHarness) async throws -> Void
    ) async throws {
        let harness = EventsHarness(database: database, broker: broker)
        try await harness.migrate()
        try await body(harness)
        await harness.broker.close()
        await database.close()
    }
}
