import Dionysus
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import DionysusPostgres
import DionysusSQLite
import Foundation
import TestSupport
import Testing

/// Each event takes effect exactly once, whatever happens to the processes that consume it.
///
/// The effect is a counter for each event, which a handler increments in the transaction of the data and the offset.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ExactlyOnceTests {
    @Test(
        "each event takes effect exactly once while members join and leave under load",
        arguments: CounterSetup.available
    )
    func rebalances(_ setup: CounterSetup) async throws {
        try await CounterInstallation.with(setup) { counters in
            let events = 20_000
            var members = try [counters.consume(), counters.consume(), counters.consume()]
            let publishing = Task {
                let size = 250
                for first in stride(from: 0, to: events, by: size) {
                    try await counters.publish(first..<(first + size))
                    // Load that continues while members come and go.
                    try await ContinuousClock().sleep(for: .milliseconds(300))
                }
            }
            var random = SystemRandomNumberGenerator()
            for change in 0..<8 {
                // The test is about the time of the kill, so it is random instead of an event.
                try await ContinuousClock().sleep(for: .milliseconds(Int.random(in: 1_500...3_500, using: &random)))
                let member = members.remove(at: Int.random(in: 0..<members.count, using: &random))
                if change.isMultiple(of: 2) {
                    await member.killAndWait()
                } else {
                    let result = await member.terminate()
                    #expect(result.status == 0, "\(result.errors)")
                }
                members.append(try counters.consume())
            }
            try await publishing.value
            try await counters.wait(forEffectsOf: events)
            for member in members {
                let result = await member.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            try await counters.expectOneEffect(of: events)
        }
    }

    @Test(
        "each event takes effect exactly once with fifty kills between the database's commit and the broker's",
        arguments: CounterSetup.pairs
    )
    func killsBetweenCommits(_ setup: CounterSetup) async throws {
        try await CounterInstallation.with(setup) { counters in
            let (rounds, size) = (50, 40)
            for round in 0..<rounds {
                try await counters.publish((round * size)..<((round + 1) * size))
                let before = try await counters.effects().events
                let result = try await counters.consume(["COUNTER_KILL_AT_COMMIT": "1"]).result()
                #expect(result.status == 128 + SIGKILL, "\(result.errors)")
                // The database has committed, but the broker hasn't. With lanes, messages that an earlier round
                // finished may come first.
                if setup.lanes == 1 { #expect(try await counters.effects().events > before) }
                if let (stored, committed) = try await counters.positions() { #expect(stored > committed) }
            }
            let last = try counters.consume()
            try await counters.wait(forEffectsOf: rounds * size)
            let result = await last.terminate()
            #expect(result.status == 0, "\(result.errors)")
            try await counters.expectOneEffect(of: rounds * size)
        }
    }

    @Test(
        "a frozen consumer whose partitions moved applies nothing twice when it continues",
        arguments: CounterSetup.available
    )
    func frozen(_ setup: CounterSetup) async throws {
        try await CounterInstallation.with(setup) { counters in
            try await counters.publish(0..<1_000)
            let mark = "\(counters.directory)/frozen"
            let frozen = try counters.consume(["COUNTER_FREEZE_AT_MESSAGES": mark])
            while !FileManager.default.fileExists(atPath: mark) {
                try await ContinuousClock().sleep(for: .milliseconds(50))
            }
            // It has unprocessed messages; another member gets its partitions, and these messages.
            let other = try counters.consume()
            try await counters.wait(forEffectsOf: 1_000, nudging: frozen)
            try FileManager.default.removeItem(atPath: mark)
            frozen.signal(SIGCONT)
            try await counters.publish(1_000..<2_000)
            try await counters.wait(forEffectsOf: 2_000)
            for member in [frozen, other] {
                let result = await member.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            try await counters.expectOneEffect(of: 2_000)
        }
    }
}

/// The database, the broker and the number of virtual lanes of a test.
struct CounterSetup: Sendable, CustomTestStringConvertible {
    let database: TestDatabaseKind
    let isKafka: Bool
    let lanes: Int

    var testDescription: String { "\(database), \(isKafka ? "Kafka" : "the embedded log"), lanes: \(lanes)" }

    /// Each database with one of the brokers: on Kafka, a group needs seconds to recover from a killed member.
    static var pairs: [CounterSetup] { available.filter { $0.isKafka == ($0.database == .postgres) } }

    static var available: [CounterSetup] {
        TestDatabaseKind.available.flatMap { database in
            [(false, 1), (false, 4), (true, 1)].map { CounterSetup(database: database, isKafka: $0, lanes: $1) }
        }
    }
}

/// A log of events and a database with a counter for each.
struct CounterInstallation: Sendable {
    private static let group = "dionysus_consumer_group_for_counter"

    let directory: String
    private let location: String
    private let seed: String
    private let lanes: Int
    private let database: any Database
    private let broker: any MessageBroker

    static func with(_ setup: CounterSetup, _ body: (CounterInstallation) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            switch setup.database {
            case .sqlite:
                let path = "\(directory)/replica.sqlite"
                try await with(setup, directory, path, try SQLiteDatabase(path: path), body)
            case .postgres:
                try await withTemporaryPostgresURL { url in
                    try await with(setup, directory, url, try PostgresDatabase(url: url), body)
                }
            }
        }
    }

    private static func with(
        _ setup: CounterSetup,
        _ directory: String,
        _ location: String,
        _ database: any Database,
        _ body: (CounterInstallation) async throws -> Void
    ) async throws {
        let migration = try RunningProcess(tool, ["migrate", location], environment: [:])
        let result = await migration.result()
        #expect(result.status == 0, "\(result.errors)")
        let cluster = setup.isKafka ? try MockCluster(brokers: 1) : nil
        let seed = cluster?.bootstrapServers ?? "embedded:\(directory)/log.sqlite"
        let broker: any MessageBroker =
            cluster == nil
            ? try EmbeddedBroker(path: "\(directory)/log.sqlite") : try KafkaBroker(bootstrapServers: seed)
        try await broker.createTopics([TopicSpecification(name: "v1_things", partitions: 4)])
        try await body(
            CounterInstallation(
                directory: directory,
                location: location,
                seed: seed,
                lanes: setup.lanes,
                database: database,
                broker: broker
            )
        )
        await broker.close()
        await database.close()
        cluster?.close()
    }

    private static var tool: String { Installation.executable(named: "CounterTool").path }

    /// Starts a consumer.
    func consume(_ environment: [String: String] = [:]) throws -> RunningProcess {
        let lanes = ["COUNTER_LANES": "\(lanes)"]
        return try RunningProcess(
            Self.tool,
            ["consume", location, seed],
            environment: lanes.merging(environment) { $1 }
        )
    }

    /// Publishes an event for each number.
    func publish(_ numbers: Range<Int>) async throws {
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
        let messages = numbers.map { number in
            let payload = #"{"id":\#(number),"value":\#(number),"links":{}}"#
            return OutgoingMessage(
                topic: "v1_things",
                destination: .partition(Int32(number % 4)),
                key: Array("Thing:\(number)".utf8),
                value: Array(
                    #"{"message":[{"event":"thing_created","model_name":"Thing","data":[\#(payload)]}]}"#.utf8
                )
            )
        }
        for result in await producer.send(messages) { _ = try result.get() }
        await producer.close(deadline: .seconds(5))
    }

    /// The number of events that have taken effect, and the total number of effects.
    func effects() async throws -> (events: Int, effects: Int) {
        try await database.transaction(.snapshot) { transaction in
            let row = try transaction.run("SELECT count(*), coalesce(sum(n), 0) FROM effects").first
            return (Int(try row?.integer(0) ?? 0), Int(try row?.integer(1) ?? 0))
        }
    }

    /// The sums of the stored and of the committed offsets; nil if they can't be read.
    func positions() async throws -> (stored: Int64, committed: Int64)? {
        guard let log = broker as? EmbeddedBroker else { return nil }
        let stored = try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT next_offset FROM dionysus_offsets").rows
                .reduce(Int64(0)) { try $0 + ($1.integer(0) ?? 0) }
        }
        return (stored, try await log.committedOffsets(group: Self.group).values.reduce(0, +))
    }

    /// Waits until a number of events have taken effect.
    ///
    /// A process that was frozen with a lock on the log's file gets time to release it.
    func wait(
        forEffectsOf events: Int,
        nudging frozen: RunningProcess? = nil,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(240)
        var nudge = ContinuousClock.now + .seconds(8)
        while try await effects().events < events {
            if ContinuousClock.now > nudge {
                frozen?.signal(SIGCONT)
                nudge = ContinuousClock.now + .seconds(8)
            }
            guard ContinuousClock.now < deadline else {
                Issue.record("only \(try await effects().events) of \(events) events", sourceLocation: location)
                return
            }
            try await ContinuousClock().sleep(for: .milliseconds(100))
        }
    }

    /// Nothing is missing, and nothing has taken effect twice.
    func expectOneEffect(of events: Int, location: SourceLocation = #_sourceLocation) async throws {
        let found = try await effects()
        #expect(found.events == events, sourceLocation: location)
        #expect(found.effects == events, sourceLocation: location)
        let things = try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT count(*) FROM things").first?.integer(0)
        }
        #expect(things == Int64(events), sourceLocation: location)
    }
}
