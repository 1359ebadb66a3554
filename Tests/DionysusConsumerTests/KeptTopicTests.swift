import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// Topics of which nothing can be kept, and tables that can't keep what their topic has.
@Suite(.timeLimit(.minutes(10))) struct KeptTopicTests {
    private struct Shop: Consumer {
        var topics: [ConsumerTopic]
        var replicas: [ReplicaModel] = []
        var isChosen = true

        var namespaces: [Namespace] { Namespace("v3") { for topic in topics { topic } } }
        var models: Models { for replica in replicas { replica } }

        func replica(for remoteName: String) -> ReplicaModel? { isChosen ? .conventional(remoteName) : nil }
    }

    private static let handler: @Sendable (IncomingEvent, inout Transaction) throws -> HandlerResult = { _, _ in
        .skipped
    }

    private static func faults(_ replica: ReplicaHarness, _ shop: Shop) async throws -> [String] {
        try await ConsumerSchema(database: replica.database).validate(shop, settings: .forTests)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic of which nothing can be kept is a fault that says what to do`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            for topic in ["products", "products_genesis"] {
                let faults = try await Self.faults(
                    replica,
                    Shop(topics: [ConsumerTopic("rentals"), ConsumerTopic(topic)])
                )
                #expect(faults.count == 1)
                for part in ["topic v3_\(topic)", "no table products", "Product", "Ignore", "handler", "accepting:"] {
                    #expect(faults.first?.contains(part) == true, "\(part): \(faults)")
                }
            }
            let named = Shop(topics: [ConsumerTopic("news", accepting: ["Product", "Price"])])
            #expect(try await Self.faults(replica, named).first?.contains("no table prices") == true)
            let error = await #expect(throws: DionysusError.self) {
                try await replica.consume(Shop(topics: [ConsumerTopic("products")]))
            }
            #expect(error?.code == .declaration && error?.message.contains("v3_products") == true)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic is no fault if something of it is kept, handled or ignored on purpose`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let shops = [
                Shop(topics: [ConsumerTopic("products")], replicas: [Ignore("Product").element]),
                Shop(topics: [ConsumerTopic("products")], isChosen: false),
                Shop(topics: [ConsumerTopic("products").handling(Self.handler)]),
                Shop(topics: [ConsumerTopic("products").eventLog()]),
                Shop(topics: [ConsumerTopic("news", accepting: ["Product", "Rental"])]),
                Shop(topics: [ConsumerTopic("news")], replicas: [Persist("Rental", table: "rentals").element]),
                Shop(topics: [ConsumerTopic("products")], replicas: [Persist("Product", table: "rentals").element]),
                Shop(topics: [ConsumerTopic(matching: "v3_.*")]),
            ]
            for (number, shop) in shops.enumerated() {
                let faults = try await Self.faults(replica, shop)
                #expect(faults == [], "\(number)")
            }
        }
    }

    @Test(
        arguments: TestDatabaseKind.available,
        [
            ("CREATE TABLE products (id bigint PRIMARY KEY, name text)", "no column synced_id"),
            ("CREATE TABLE products (synced_id bigint NOT NULL, name text)", "no unique key on synced_id"),
            ("CREATE TABLE products (synced_id bigint, shop bigint, UNIQUE (synced_id, shop))", "no unique key"),
        ]
    )
    func `a table without its id or the unique key on it is a fault, and never a reason to leave records out`(
        _ kind: TestDatabaseKind,
        _ fault: (table: String, text: String)
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.define("\(raw: fault.table)")
            let topic = Shop(topics: [ConsumerTopic("products")])
            let faults = try await Self.faults(replica, topic)
            #expect(faults.contains { $0.contains("table products has \(fault.text)") }, "\(faults)")
            #expect(faults.allSatisfy { $0.hasPrefix("topic v3_products") })
            // Met in messages, as a model that no topic is named after.
            try await replica.publish(
                WireMessage("v3_rentals", key: "Product:1", value: Self.product),
                .rental(.created, 1, name: "one", partition: 1)
            )
            let mended: SQL = """
                CREATE TABLE products (synced_id bigint NOT NULL UNIQUE, name text,
                  created_at \(raw: replica.database.dialect.columnType(.timestamp)),
                  updated_at \(raw: replica.database.dialect.columnType(.timestamp)))
                """
            let lines = LogLines()
            try await replica.whileConsuming(Mirror(), Instrumentation(), loggingTo: lines) {
                while !Task.isCancelled, !lines.all.contains(where: { $0.contains("products has \(fault.text)") }) {
                    await Task.yield()
                }
                try await replica.define("DROP TABLE products", mended)
                while try await replica.rows("SELECT name FROM products").isEmpty {}
            }
            #expect(try await replica.rows("SELECT synced_id, name FROM products") == ["1 one"])
            #expect(try await replica.failures == [])
        }
    }

    private static let product = """
        {"message":[{"event":"product_created","model_name":"Product","data":[{"id":1,"name":"one","links":{}}]}]}
        """
}
