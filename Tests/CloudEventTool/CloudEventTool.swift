import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusProducer
import DionysusSQLite
import DionysusSchemas
import Foundation
import Logging
import ServiceLifecycle
import TestSupport

/// Publishes notes as CloudEvents, and reads CloudEvents of others into a replica of notes, on command.
///
/// Each input line is a command in JSON, and each output line its answer:
///
///     {"command":"publish","mode":"binary","encoding":"envelope"}
///     {"command":"read","encoding":"record","messages":[{"key":…,"value":…,"headers":[…]}]}
@main
struct CloudEventTool {
    static func main() async throws {
        while let line = readLine() {
            let command = try JSON(parsing: Array(line.utf8))
            var answer: JSON
            do {
                answer = command.text("command") == "publish" ? try await publish(command) : try await read(command)
            } catch {
                answer = ["error": .string("\(error)")]
            }
            FileHandle.standardOutput.write(Data((answer.text + "\n").utf8))
        }
    }

    private static let logger = Logger(label: "tool") { _ in SwiftLogNoOpLogHandler() }

    private static func encoding(_ command: JSON) -> TopicEncoding {
        let mode = command.text("mode").flatMap(CloudEventMode.init(rawValue:)) ?? .binary
        return switch command.text("encoding") {
        case "envelope": TopicEncoding.envelope.cloudEvents(mode)
        case "marked": TopicEncoding.record(.json, deletions: .marked).cloudEvents(mode)
        default: TopicEncoding.record(.json).cloudEvents(mode)
        }
    }

    /// Inserts, changes and deletes notes, sends a plain message, and answers with all that was published.
    private static func publish(_ command: JSON) async throws -> JSON {
        try await withDatabase { database, broker in
            let registry = Registry(Notes(encoding: encoding(command)))
            try await database.transaction(.write) {
                _ = try $0.run("CREATE TABLE notes (id integer PRIMARY KEY, title text NOT NULL, price numeric)")
            }
            try await OutboxSchema(database: database, registry: registry).migrate(lanes: 1)
            let statements: [SQL] = [
                "INSERT INTO notes VALUES (1, 'plain', 1.5)", "INSERT INTO notes VALUES (2, 'snow ☃ \"quoted\"', NULL)",
                "UPDATE notes SET title = 'changed' WHERE id = 1", "DELETE FROM notes WHERE id = 2",
            ]
            func relay() async throws {
                try await RelayService(registry, database: database, broker: broker, mode: .untilEmpty, logger: logger)
                    .run()
            }
            for statement in statements {
                _ = try await database.transaction(.write) { try $0.run(statement) }
                try await relay()
            }
            let publisher = try await MessagePublisher(registry, topic: "feed_notices", database: database)
            var notice = PlainMessage(["text": "notice ☃"], key: "k")
            notice.event = "notice_posted"
            try await publisher.publish(notice)
            try await relay()
            let messages = try await readRaw(["feed_notes", "feed_notices"], from: broker)
            return ["messages": .array(messages.map(JSON.init))]
        }
    }

    /// Reads messages into a replica, and answers with its rows and with what failed.
    private static func read(_ command: JSON) async throws -> JSON {
        try await withDatabase { database, broker in
            guard case .array(let messages)? = command["messages"] else { return ["error": "no messages"] }
            try await database.transaction(.write) {
                _ = try $0.run(
                    "CREATE TABLE notes (id integer PRIMARY KEY, synced_id bigint UNIQUE, synced_version bigint, title text, price numeric)"
                )
            }
            try await ConsumerSchema(database: database).migrate()
            let producer = try await broker.makeProducer(ProducerOptions(clientID: "tool"))
            for result in await producer.send(messages.compactMap(OutgoingMessage.init)) { _ = try result.get() }
            await producer.close(deadline: .seconds(5))
            let seen = Collected<String>()
            try await ConsumerService(
                NoteMirror(encoding: encoding(command), seen: seen),
                database: database,
                broker: broker,
                mode: .untilCaughtUp,
                logger: logger
            )
            .run()
            let (rows, failures) = try await database.transaction(.snapshot) { transaction in
                (
                    try transaction.run("SELECT synced_id, title, CAST(price AS text) FROM notes ORDER BY synced_id")
                        .rows
                        .map { row in
                            JSON.array(
                                [.integer(try row.integer(0) ?? 0)] + (try [1, 2].map { Self.json(try row.text($0)) })
                            )
                        },
                    try transaction.run("SELECT error_message FROM dionysus_failures").rows
                        .map { JSON.string(try $0.text(0) ?? "") }
                )
            }
            return ["rows": .array(rows), "failures": .array(failures), "ids": .array(seen.all.map(JSON.string))]
        }
    }

    private static func json(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }

    private static func withDatabase(
        _ body: (any CapturingDatabase, any MessageBroker) async throws -> JSON
    ) async throws -> JSON {
        let folder = FileManager.default.temporaryDirectory.appending(path: "cloudevents-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try SQLiteDatabase(path: folder.appending(path: "database.sqlite").path)
        let broker = try EmbeddedBroker(path: folder.appending(path: "log.sqlite").path)
        let answer = try await body(database, broker)
        await broker.close()
        await database.close()
        return answer
    }
}

/// A model with a text and a number that may be missing.
struct Note: Model {
    var id: Int
    var title: String
    var price: Double?
    enum CodingKeys: String, CodingKey { case id, title, price }
}

struct Notes: Producer {
    let encoding: TopicEncoding

    var namespaces: [Namespace] {
        Namespace("feed", serializers: Serializers { Whole(Note.self) }) {
            Topic("notes", encoding: encoding, partitionKey: .messageKey) { Publish(Note.self) }
            Topic(messages: "notices", encoding: .record(.json).cloudEvents(encoding.cloudEvents ?? .binary))
        }
    }
}

struct NoteMirror: Consumer {
    let encoding: TopicEncoding
    let seen: Collected<String>

    var namespaces: [Namespace] { Namespace("feed") { Topic("notes", encoding: encoding) } }

    func didConsume(_ event: ConsumedEvent) async throws { seen.add(event.eventID ?? "") }
}

extension JSON {
    fileprivate init(_ message: ConsumedMessage) {
        self = [
            "topic": .string(message.source.topic),
            "key": message.key.map { .string($0.base64) } ?? .null,
            "value": message.value.map { .string($0.base64) } ?? .null,
            "headers": .array(message.headers.map { [.string($0.name), .string($0.value.base64)] }),
        ]
    }

    fileprivate func text(_ name: String) -> String? {
        guard case .string(let text)? = self[name] else { return nil }
        return text
    }

    fileprivate func bytes(_ name: String) -> [UInt8]? {
        text(name).flatMap { Data(base64Encoded: $0) }.map(Array.init)
    }
}

extension [UInt8] {
    fileprivate var base64: String { Data(self).base64EncodedString() }
}

extension OutgoingMessage {
    fileprivate init?(_ json: JSON) {
        guard case .array(let headers)? = json["headers"] else { return nil }
        self.init(
            topic: "feed_notes",
            destination: .partition(0),
            key: json.bytes("key"),
            value: json.bytes("value"),
            headers: headers.compactMap { header in
                guard case .array(let parts) = header, case .string(let name)? = parts.first,
                    case .string(let value)? = parts.last, let bytes = Data(base64Encoded: value)
                else { return nil }
                return MessageHeader(name, Array(bytes))
            }
        )
    }
}
