import Dionysus
import DionysusApplication
import DionysusConsumer
import DionysusFile
import DionysusProducer
import DionysusTesting
import Foundation
import TestSupport
import Testing

/// An application in Swift reads a file, and adds what a file can't say.
struct MixedTests {
    private static let text = """
        dionysus: 1
        name: shop
        source:
          migrate:
            - CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY, title text NOT NULL, amount integer)
        models:
          Order:
            columns: { id: integer, title: text, amount: integer? }
        namespaces:
          v1:
            serializers:
              Order: { attributes: [id, title, amount] }
            topics:
              orders: { partition_key: message_key, publish: [Order] }
        replica:
          migrate:
            postgresql:
              - CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, synced_id bigint UNIQUE NOT NULL, title text, label text)
              - CREATE TABLE IF NOT EXISTS audit (title text NOT NULL)
            sqlite:
              - CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, synced_id bigint UNIQUE NOT NULL, title text, label text)
              - CREATE TABLE IF NOT EXISTS audit (title text NOT NULL)
          namespaces:
            v1: { topics: [orders] }
        """

    private struct Shop: FileApplication {
        let producer: FileProducer
        let consumer: ShopMirror

        init(_ file: DeclarationFile) {
            producer = (file.producer ?? FileProducer())
                .computing("label", of: "Order") { order in
                    "\(try order.value("title", as: String.self).uppercased()) \(order["amount"].isNull ? "?" : "!")"
                }
                .computing("title", of: "Order", in: "v1") { try $0.value("title", as: String.self) + "." }
            consumer = ShopMirror(file: file.consumer ?? FileConsumer())
        }
    }

    private struct ShopMirror: Consumer {
        let file: FileConsumer

        var namespaces: [Namespace] {
            file.changing("orders", in: "v1") { topic in
                topic.accepting { $0.data["title"] != .string("secret.") }
                    .handling { event, transaction in
                        guard case .string(let title)? = event.data["title"] else { return .skipped }
                        try transaction.run("INSERT INTO audit (title) VALUES (\(title))")
                        return .acknowledged
                    }
            }
            .namespaces
        }
        var models: Models { file.models }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `computed attributes, filters and handlers are added to a file's`(_ database: ThrowAwayDatabase) async throws {
        let file = try CompleteFile.read(Self.text)
        let shop = Shop(file)
        try await ReplicationTest(
            shop.producer,
            shop.consumer,
            on: database,
            source: { try file.migrateSource(&$0) },
            replica: { try file.migrateReplica(&$0) }
        ) { test in
            try await test.source.write { transaction in
                try transaction.run("INSERT INTO orders VALUES (1, 'lamp', 3), (2, 'chair', NULL), (3, 'secret', 1)")
            }
            try await test.settle()
            let sent = test.messages(in: "v1_orders").compactMap(\.payload).first { $0["id"] == .integer(1) }
            guard case .object(let payload)? = sent else { throw DionysusError(.malformed, "no payload") }
            #expect(payload.members.prefix(4).map(\.name) == ["id", "title", "amount", "label"])
            #expect(payload["title"] == .string("lamp.") && payload["label"] == .string("LAMP !"))
            let rows = try await test.replica.rows("orders")
            #expect(Set(rows.compactMap { $0["label"] }) == [.string("LAMP !"), .string("CHAIR ?")])
            #expect(try await test.replica.rows("audit").count == 2)
        }
    }

    @Test func `what is added to nothing is a fault of the declaration`() throws {
        let file = try CompleteFile.read(Self.text)
        let producer = try #require(file.producer)
        #expect(Registry(producer).faults == [])
        let wrong = producer.computing("label", of: "Ordr") { _ in 1 }
        #expect(Registry(wrong).faults.contains { $0.contains("no serializer of Ordr") })
        #expect(
            Registry(producer.computing("label", of: "Order", in: "v2") { _ in 1 }).faults
                .contains { $0.contains("namespace v2") }
        )
        let consumer = try #require(file.consumer)
        for (topic, namespace) in [("order", "v1"), ("orders", "v2")] {
            let changed = consumer.changing(topic, in: namespace) { $0 }
            let faults = ConsumedTopics(changed, settings: ConsumerSettings()).faults
            #expect(faults.contains { $0.contains(topic) && $0.contains(namespace) }, "\(faults)")
        }
    }

    @Test func `the attribute that code computes is what a written file lacks`() throws {
        let file = try CompleteFile.read(Self.text)
        let shop = Shop(file)
        let text = FileText(shop.producer, shop.consumer, name: "shop", settings: file.settings).text
        #expect(text.contains("the attribute label, which code computes"))
        #expect(try CompleteFile.read(text).producer != nil)
    }

    @Test func `a program's arguments name the file, whose settings and tables it has`() async throws {
        try await withTemporaryDirectory { directory in
            let file = "\(directory)/orders.yml"
            try Self.text.write(toFile: file, atomically: true, encoding: .utf8)
            let source = "\(directory)/source.sqlite"
            let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
            let products = tests?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
            func tool(_ arguments: String...) async throws -> RunningProcess.Result {
                try await RunningProcess(
                    products.appending(path: "FileTool").path,
                    arguments,
                    environment: [
                        "SOURCE_DATABASE_URL": "sqlite:\(source)",
                        "DIONYSUS_SEED_BROKER": "embedded:\(directory)/log.sqlite",
                    ]
                )
                .result()
            }
            #expect(try await tool("-f", file, "migrate").status == 0)
            let insert = "INSERT INTO orders VALUES (1, 'lamp', 3)"
            #expect(try await RunningProcess("sqlite3", [source, insert], environment: [:]).result().status == 0)
            #expect(try await tool("--file=\(file)", "relay", "--until-empty").status == 0)
            #expect(try await tool("-f", file, "messages", "v1_orders").output.contains("LAMP"))
            let config = try await tool("-f", file, "config").output
            #expect(config.contains("shop"))
            // Without the argument it is the program's own file, which isn't here.
            let missing = try await tool("relay", "--until-empty")
            #expect(missing.status == 1 && missing.errors.contains("shop.yml can't be read"), "\(missing.errors)")
            #expect(try await tool("-f").status == 64)
            #expect(try await tool("--help").output.contains("file-tool"))
        }
    }
}
