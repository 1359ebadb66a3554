import Dionysus
import DionysusRegistryTesting
import DionysusSchemas
import Foundation
import TestSupport
import Testing

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The example's feed: topics in Avro with schemas of a registry, seen from outside.
@Suite(.timeLimit(.minutes(10)))
struct FeedTests {
    /// Runs a body on an installation with a registry beside it.
    private static func with(
        _ kind: InstallationKind,
        _ body: (Installation, SchemaRegistryClient) async throws -> Void
    ) async throws {
        let server = try await SchemaRegistryServer.start(InMemorySchemaRegistry())
        do {
            try await Installation.with(kind) { installation in
                var installation = installation
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_URL"] = server.url
                try await installation.succeed("migrate")
                try await body(installation, SchemaRegistryClient(server.settings, transport: server.registry))
            }
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    private static func messages(_ topic: String, _ installation: Installation) async throws -> [ConsumedMessage] {
        try await installation.withBroker { try await readRaw(topic, from: $0) }
    }

    private static func read(
        _ message: ConsumedMessage,
        _ client: SchemaRegistryClient,
        _ part: MessagePart = .value
    ) async throws -> JSON? {
        guard let bytes = part == .key ? message.key : message.value else { return nil }
        return try await SchemaSerde(AvroFormat.json(), registry: client, part: part)
            .deserialize(bytes, headers: message.headers)
    }

    @Test("rentals are published as records, and end as null", arguments: InstallationKind.available)
    func rentals(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation, client in
            try await installation.succeed("validate")
            try await installation.write(
                """
                INSERT INTO accounts (id, name, default_check_in_time) VALUES (3, 'Acme', 15);
                INSERT INTO rentals (id, account_id, name, price, bedrooms) VALUES (8, 3, 'Villa ☃', 123.4, 2);
                """
            )
            try await installation.succeed("relay", "--until-empty")
            let first = try #require(try await Self.messages("feed_rentals", installation).first)
            #expect(try await Self.read(first, client, .key) == ["id": 8])
            let record = try #require(try await Self.read(first, client))
            #expect(record["name"] == "Villa ☃" && record["price"] == "123.40" && record["check_in_time"] == 15)
            #expect(record["account_id"] == 3 && record["canceled_at"] == .null && record["bedrooms"] == 2)
            let headers = Dictionary(first.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) }) { $1 }
            #expect(headers["dionysus-event"] == "rental_created" && headers["dionysus-version"] != nil)
            #expect(headers["dionysus-schema"] == "feed_rentals-value:1")
            #expect(try await client.latestSchema(of: "feed_rentals-value").schema.text.contains(#""name":"Rental""#))
            #expect(try await client.latestSchema(of: "feed_rentals-key").schema.text.contains(#""name":"Rental_key""#))
            // The envelopes of v3 are as they are without a feed.
            let envelope = try #require(try await Self.messages("v3_rentals", installation).first)
            #expect(envelope.key == Array("Rental:8".utf8))

            try await installation.write("UPDATE rentals SET canceled_at = '2026-11-21T12:00:00Z' WHERE id = 8")
            try await installation.succeed("relay", "--until-empty")
            let last = try #require(try await Self.messages("feed_rentals", installation).last)
            #expect(last.value == nil && last.key == first.key)
        }
    }

    @Test("an announcement is sent, unless its transaction is rolled back", arguments: InstallationKind.available)
    func announcements(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation, client in
            try await installation.succeed("announce", "one")
            try await installation.succeed("announce", "never", "--roll-back")
            try await installation.succeed("announce", "zwei ☃")
            try await installation.succeed("relay", "--until-empty")
            let messages = try await Self.messages("feed_announcements", installation)
            #expect(messages.allSatisfy { $0.key == nil })
            var texts: Set<String> = []
            for message in messages {
                let record = try #require(try await Self.read(message, client))
                guard case .string(let text)? = record["text"], case .string(let id)? = record["message_id"],
                    case .string(let time)? = record["timestamp"]
                else {
                    Issue.record("a field is missing")
                    continue
                }
                texts.insert(text)
                #expect(UUID(uuidString: id) != nil && Timestamp(time) != nil)
            }
            #expect(messages.count == 2 && texts == ["one", "zwei ☃"])
            let schema = try await client.latestSchema(of: "feed_announcements-value")
            #expect(schema.schema.text.contains(#""name":"Announcement""#))
        }
    }

    @Test(
        "widgets of other programs, in several versions, arrive and are deleted by null",
        arguments: InstallationKind.available
    )
    func widgets(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation, client in
            let older = try AvroSchema(
                parsing: """
                    {"type":"record","name":"Widget","namespace":"feed","fields":[{"name":"id","type":"int"},
                     {"name":"name","type":"string"},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
                     {"name":"made_at","type":{"type":"long","logicalType":"timestamp-micros"}},
                     {"name":"tags","type":{"type":"array","items":"string"}},{"name":"size","type":"int"}]}
                    """
            )
            let newer = try AvroSchema(
                parsing: """
                    {"type":"record","name":"Widget","namespace":"feed","fields":[{"name":"id","type":"long"},
                     {"name":"name","type":"string"},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
                     {"name":"made_at","type":{"type":"long","logicalType":"timestamp-micros"}},
                     {"name":"tags","type":{"type":"array","items":"string"}},
                     {"name":"note","type":["null","string"],"default":null},{"name":"color","type":"string","default":"red"}]}
                    """
            )
            let keySchema = try AvroSchema(
                parsing:
                    #"{"type":"record","name":"Widget_key","namespace":"feed","fields":[{"name":"id","type":"long"}]}"#
            )
            let keys = SchemaSerde(AvroFormat.json(keySchema), registry: client, part: .key)
            _ = try await client.setCompatibility("NONE")
            func send(_ id: Int64, _ schema: AvroSchema, _ value: JSON?) async throws {
                let key = try await keys.serialize(["id": .integer(id)], topic: "feed_widgets").bytes
                let serde = SchemaSerde(AvroFormat.json(schema), registry: client)
                let bytes: [UInt8]? =
                    if let value { try await serde.serialize(value, topic: "feed_widgets").bytes } else { nil }
                try await installation.withBroker { broker in
                    let producer = try await broker.makeProducer(ProducerOptions(clientID: "other"))
                    let message = OutgoingMessage(
                        topic: "feed_widgets",
                        destination: .partitioned(by: key),
                        key: key,
                        value: bytes
                    )
                    for result in await producer.send([message]) { _ = try result.get() }
                    await producer.close(deadline: .seconds(5))
                }
            }
            let widget: JSON.Object = [
                "id": 1, "name": "Cog", "amount": "12.50", "made_at": "2026-02-03T04:05:06.789012Z",
                "tags": ["a", "b,\"c"],
                "size": 3,
            ]
            var noted = widget
            noted["id"] = 2
            noted["note"] = "fragile"
            noted["amount"] = "-0.01"
            try await send(1, older, .object(widget))
            try await send(2, newer, .object(noted))
            try await send(3, newer, .object(noted.with("id", 3)))
            try await send(3, newer, nil)
            try await installation.succeed("consume", "--until-caught-up")
            let rows = try await installation.replicaRows(
                "SELECT synced_id, name, amount, note FROM widgets ORDER BY synced_id"
            )
            #expect(rows == ["1|Cog|\(kind == .embedded ? "12.5" : "12.50")|", "2|Cog|-0.01|fragile"])
            let tags = try await installation.replicaRows("SELECT tags FROM widgets WHERE synced_id = 1")
            #expect(tags == [kind == .embedded ? #"["a","b,\"c"]"# : #"{a,"b,\"c"}"#])
            let made = try await installation.replicaRows("SELECT made_at FROM widgets WHERE synced_id = 1")
            #expect(made.first?.contains("04:05:06.789012") == true)

            // An older version has no note: the reader's default takes its place.
            try await send(2, older, .object(noted.with("note", nil)))
            try await installation.succeed("consume", "--until-caught-up")
            #expect(try await installation.replicaRows("SELECT note FROM widgets WHERE synced_id = 2") == [""])
        }
    }

    @Test(
        "the console shows messages decoded, and finds them by what is in them",
        arguments: InstallationKind.available
    )
    func console(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation, _ in
            try await installation.write(
                """
                INSERT INTO accounts (id, name, default_check_in_time) VALUES (3, 'Acme', 15);
                INSERT INTO rentals (id, account_id, name, price, bedrooms) VALUES (8, 3, 'Villa ☃', 123.4, 2);
                INSERT INTO rentals (id, account_id, name) VALUES (9, 3, 'Hut');
                """
            )
            try await installation.succeed("relay", "--until-empty")
            let console = try installation.start("console", "--port", "0")
            var address: String?
            while console.isRunning, address == nil {
                address = console.errors.firstMatch(of: /the console is at (http:\S+)\//).map { String($0.1) }
            }
            let messages = "\(try #require(address))/messages?topic=feed_rentals&from=earliest"
            let page = try await Self.text(messages)
            #expect(page.contains("Villa ☃") && page.contains("123.40"), "\(page)")
            // The key is data of the registry, too.
            #expect(page.contains("{&quot;id&quot;:8}"), "\(page)")
            let found = try await Self.text("\(messages)&value=name%3DHut")
            #expect(found.contains("Hut") && !found.contains("Villa"), "\(found)")
            let api = messages.replacing("/messages?", with: "/api/v1/messages?")
            guard case .array(let list)? = try JSON(parsing: Array(try await Self.text(api).utf8))["messages"] else {
                Issue.record("there is no list of messages")
                return
            }
            #expect(list.contains { $0["payload"]?["name"] == "Villa ☃" && $0["payload"]?["price"] == "123.40" })
            #expect(await console.terminate().status == 0)
        }
    }

    private static func text(_ url: String) async throws -> String {
        let (data, _) = try await URLSession.shared.data(from: #require(URL(string: url)))
        return String(decoding: data, as: UTF8.self)
    }

    @Test("without a registry there is no feed, and an announcement says why", arguments: InstallationKind.available)
    func withoutRegistry(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            #expect(try await !installation.succeed("topics").contains("feed_"))
            let result = try await installation.run("announce", "no")
            #expect(result.status == 1)
            #expect(result.errors.contains("DIONYSUS_SCHEMA_REGISTRY_URL"))
        }
    }
}

extension JSON.Object {
    fileprivate func with(_ name: String, _ value: JSON?) -> JSON.Object {
        var copy = self
        copy[name] = value
        return copy
    }
}

extension Installation {
    /// The rows of a query on the replica, with bars between the columns.
    fileprivate func replicaRows(_ query: String) async throws -> [String] {
        let url = environment["REPLICA_DATABASE_URL"] ?? ""
        let process =
            kind == .embedded
            ? try RunningProcess("sqlite3", [String(url.dropFirst("sqlite:".count)), query], environment: [:])
            : try RunningProcess("psql", ["-At", "-c", query, url], environment: ["PGTZ": "UTC"])
        let result = await process.result()
        #expect(result.status == 0, "\(result.errors)")
        return result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}
