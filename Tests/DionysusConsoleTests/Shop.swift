import Dionysus
import DionysusConsole
import DionysusConsumer
import DionysusEmbedded
import DionysusHTTP
import DionysusHTTPClient
import DionysusProducer
import Logging
import TestSupport
import Testing

@testable import Rentals

/// The example's producer and consumer on new databases, with a console that is asked over real connections.
struct Shop: Sendable {
    let source: any CapturingDatabase
    let replica: any CapturingDatabase
    let broker: any MessageBroker
    var settings: ConsoleSettings
    var consumer: any Consumer = RentalMirror()

    static let producer = BookingSync()

    static var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    /// Runs a body with a shop whose tables are made.
    static func with(
        _ kind: TestDatabaseKind,
        _ settings: ConsoleSettings = ConsoleSettings(),
        isMigrated: Bool = true,
        _ body: (Shop) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            try await withTemporaryDatabase(kind) { source in
                try await withTemporaryDatabase(kind) { replica in
                    let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite")
                    let shop = Shop(source: source, replica: replica, broker: broker, settings: settings)
                    if isMigrated { try await shop.migrate() }
                    let result: Result<Void, any Error>
                    do { result = .success(try await body(shop)) } catch { result = .failure(error) }
                    await broker.close()
                    try result.get()
                }
            }
        }
    }

    var producerSettings: ProducerSettings {
        var settings = ProducerSettings()
        settings.clientID = "rentals"
        return settings
    }

    var consumerSettings: ConsumerSettings {
        var settings = ConsumerSettings()
        settings.clientID = "rentals"
        return settings
    }

    var registry: Registry { Registry(Self.producer, settings: producerSettings) }

    private func migrate() async throws {
        try await source.transaction(.write) { try SourceSchema.create(in: &$0) }
        try await replica.transaction(.write) { try ReplicaSchema.create(in: &$0) }
        try await OutboxSchema(database: source, registry: registry).migrate(lanes: 2)
        try await ConsumerSchema(database: replica).migrate()
        try await ConsoleTables(source: source).migrate()
        try await ConsoleTables(replica: replica).migrate()
    }

    // MARK: What happens in it

    func write(_ statements: SQL...) async throws {
        try await source.transaction(.write) { _ = try $0.run(statements) }
    }

    func writeReplica(_ statements: SQL...) async throws {
        try await replica.transaction(.write) { _ = try $0.run(statements) }
    }

    /// One account, two rentals and a booking.
    func fill() async throws {
        try await write(
            "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, '<script>alert(1)</script>', 16)",
            "INSERT INTO rentals (id, account_id, name, price) VALUES (42, 1, 'Villa & <b>Sea</b>', 150), (43, 1, 'Hut', 20)",
            "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (7, 42, '2026-01-01T00:00:00.000000Z', 10)"
        )
    }

    func relay() async throws {
        let service = RelayService(
            registry,
            database: source,
            broker: broker,
            settings: producerSettings,
            mode: .untilEmpty,
            logger: Self.logger
        )
        try await service.run()
    }

    func consume() async throws {
        let service = ConsumerService(
            consumer,
            database: replica,
            broker: broker,
            settings: consumerSettings,
            mode: .untilCaughtUp,
            logger: Self.logger
        )
        try await service.run()
    }

    /// Makes messages of accounts fail: the replica refuses one that is named like that.
    func refuseAccounts() async throws {
        try await writeReplica(
            "ALTER TABLE accounts RENAME COLUMN name TO other_name",
            "ALTER TABLE accounts ADD COLUMN name integer"
        )
    }

    // MARK: The console

    var system: ObservedSystem {
        var system = ObservedSystem(name: "rentals", version: "1.2")
        system.producer = .init(Self.producer, database: source, settings: producerSettings)
        system.consumer = .init(consumer, database: replica, settings: consumerSettings)
        system.broker = broker
        system.settings = [.init(name: "SOME_SETTING", value: "<i>", source: "code", summary: "what it means")]
        return system
    }

    /// Serves the console while a body asks it.
    func serving(host: String = "127.0.0.1", _ body: (Visitor) async throws -> Void) async throws {
        let console = try Console(system, settings: settings, logger: Self.logger)
        try await whileServing { started in
            try ConsoleServer(console, host: host, port: 0, logger: Self.logger, started: started)
        } _: { address in
            try await body(Visitor(address: address + settings.basePath))
        }
    }
}

/// Somebody who asks a console.
struct Visitor: Sendable {
    struct Answer: Sendable {
        let status: Int
        let headers: [String: String]
        let text: String

        var json: JSON { (try? JSON(parsing: Array(text.utf8))) ?? .null }
    }

    let address: String
    var headers: [String: String] = [:]

    func get(_ path: String, _ more: [String: String] = [:]) async throws -> Answer {
        try await send("GET", path, more)
    }

    /// Sends a form as a browser would.
    func submit(_ path: String, _ fields: [(String, String)], _ more: [String: String] = [:]) async throws -> Answer {
        let body = fields.map { "\(encoded($0.0))=\(encoded($0.1))" }.joined(separator: "&")
        var headers = more
        headers["content-type"] = "application/x-www-form-urlencoded"
        headers["sec-fetch-site"] = more["sec-fetch-site"] ?? "same-origin"
        return try await send("POST", path, headers, Array(body.utf8))
    }

    func post(_ path: String, _ json: JSON = .object([:]), _ more: [String: String] = [:]) async throws -> Answer {
        try await send("POST", path, more.merging(["content-type": "application/json"]) { $1 }, json.bytes)
    }

    func send(
        _ method: String,
        _ path: String,
        _ more: [String: String] = [:],
        _ body: [UInt8]? = nil
    ) async throws -> Answer {
        let request = DionysusHTTP.HTTPRequest(
            method,
            address + path,
            headers: headers.merging(more) { $1 },
            body: body
        )
        let response = try await NetworkTransport(nil).send(request)
        return Answer(
            status: response.status,
            headers: response.headers,
            text: String(decoding: response.body, as: UTF8.self)
        )
    }

    /// What has become of an action that a program has begun, once it has ended.
    func outcome(of answer: Answer) async throws -> JSON {
        guard case .string(let id)? = answer.json["id"] else { return answer.json }
        while true {
            let action = try await get("/api/v1/actions/\(id)").json
            if let end = action["finished_at"], end != .null { return action }
        }
    }

    private func encoded(_ text: String) -> String {
        text.utf8
            .map { byte in
                let scalar = Unicode.Scalar(byte)
                if scalar.isASCII, scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) {
                    return String(scalar)
                }
                let digits = Array("0123456789ABCDEF")
                return "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
            .joined()
    }
}

extension String {
    /// What stands between two texts, the first time.
    func between(_ start: String, _ end: String) -> String? {
        guard let from = firstRange(of: start)?.upperBound, let to = self[from...].firstRange(of: end)?.lowerBound
        else {
            return nil
        }
        return String(self[from..<to])
    }

    /// The token of the first form on a page.
    var formToken: String { between("name=\"csrf\" value=\"", "\"") ?? "" }
}
