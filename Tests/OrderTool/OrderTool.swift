import Dionysus
import DionysusEmbedded
import DionysusPostgres
import DionysusProducer
import DionysusSQLite
import Foundation
import Logging
import ServiceLifecycle
import TestSupport

/// Runs relays in a separate process, with a broker that fails a random tenth of the messages.
///
///     OrderTool migrate DATABASE            creates the tables, the outbox and the triggers
///     OrderTool relay DATABASE LOG FAILED   relays until SIGTERM, and appends the event ids and versions of failures to a file
@main
struct OrderTool {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "migrate" where arguments.count == 2: try await migrate(arguments[1])
        case "relay" where arguments.count == 4: try await relay(arguments[1], log: arguments[2], failed: arguments[3])
        default: throw DionysusError(.configuration, "usage: migrate DATABASE | relay DATABASE LOG FAILED")
        }
    }

    private static func open(_ location: String) throws -> any CapturingDatabase {
        location.hasPrefix("postgres") ? try PostgresDatabase(url: location) : try SQLiteDatabase(path: location)
    }

    private static func migrate(_ location: String) async throws {
        let database = try open(location)
        try await database.transaction(.write) { transaction in
            for table in ["guests", "stays", "invoices"] {
                try transaction.run(
                    "CREATE TABLE \(identifier: table) (id integer PRIMARY KEY, shelf integer NOT NULL, value integer NOT NULL)"
                )
            }
        }
        try await OutboxSchema(database: database, registry: Registry(SharedShelves())).migrate(lanes: 16)
        await database.close()
    }

    private static func relay(_ location: String, log: String, failed: String) async throws {
        try Data().write(to: URL(filePath: failed))
        guard let file = FileHandle(forWritingAtPath: failed) else { return }
        var settings = ProducerSettings()
        settings.batchSize = 200
        settings.maxAttempts = 100
        settings.maxRetryDelay = .seconds(1)
        let relay = RelayService(
            Registry(SharedShelves(), settings: settings),
            database: try open(location),
            broker: UnreliableBroker(base: try EmbeddedBroker(path: log)) { failed in
                file.write(Data((failed + "\n").utf8))
            },
            settings: settings,
            logger: Logger(label: "relay") { _ in SwiftLogNoOpLogHandler() }
        )
        try await ServiceGroup(
            services: [relay],
            gracefulShutdownSignals: [.sigterm],
            logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }
        )
        .run()
    }
}

/// Three models in one topic, with common partition keys.
struct SharedShelves: Producer {
    struct Guest: Model {
        var id: Int
        var shelf: Int
        var value: Int
        enum CodingKeys: String, CodingKey { case id, shelf, value }
    }

    struct Stay: Model {
        var id: Int
        var shelf: Int
        var value: Int
        enum CodingKeys: String, CodingKey { case id, shelf, value }
    }

    struct Invoice: Model {
        var id: Int
        var shelf: Int
        var value: Int
        enum CodingKeys: String, CodingKey { case id, shelf, value }
    }

    var namespaces: [Namespace] {
        Namespace(
            "v1",
            serializers: Serializers {
                Whole(Guest.self); Whole(Stay.self); Whole(Invoice.self)
            }
        ) {
            Topic("shared", partitionKey: "shelf") {
                Publish(Guest.self)
                Publish(Stay.self)
                Publish(Invoice.self)
            }
        }
    }
}

/// Fails a random tenth of the messages: some don't arrive, some do but without an acknowledgement, some are refused.
struct UnreliableBroker: BrokerWrapper {
    let base: any MessageBroker
    let onFailure: @Sendable (String) -> Void

    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        UnreliableProducer(base: try await base.makeProducer(options), onFailure: onFailure)
    }
}

struct UnreliableProducer: MessageProducer {
    private enum Fault {
        case lost
        case unacknowledged
        case refused
    }

    let base: any MessageProducer
    let onFailure: @Sendable (String) -> Void

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        // A message that follows a lost message of its key on the same connection can't have arrived without an answer.
        var lost: Set<[UInt8]> = []
        let faults = messages.map { message -> Fault? in
            let fault = Self.randomFault()
            if fault == .unacknowledged, lost.contains(message.key ?? []) { return .lost }
            if fault != nil { lost.insert(message.key ?? []) }
            return fault
        }
        let arriving = messages.indices.filter { faults[$0] == nil || faults[$0] == .unacknowledged }
        var sent = await base.send(arriving.map { messages[$0] }).makeIterator()
        return messages.indices.map { index in
            let result = faults[index] == nil || faults[index] == .unacknowledged ? sent.next() : nil
            if faults[index] == nil, case .success? = result, let result { return result }
            onFailure("\(messages[index].header(HeaderName.eventID)) \(messages[index].header(HeaderName.version))")
            return .failure(
                faults[index] == .refused
                    ? DionysusError(.messageRejected, "refused")
                    : DionysusError(.brokerUnavailable, "no acknowledgement", isRetriable: true)
            )
        }
    }

    private static func randomFault() -> Fault? {
        switch Int.random(in: 0..<1_000) {
        case ..<5: .refused
        case ..<50: .unacknowledged
        case ..<100: .lost
        default: nil
        }
    }

    func purge() { base.purge() }
    func close(deadline: Duration) async { await base.close(deadline: deadline) }
}

extension OutgoingMessage {
    fileprivate func header(_ name: String) -> String {
        String(decoding: headers.first { $0.name == name }?.value ?? [], as: UTF8.self)
    }
}
