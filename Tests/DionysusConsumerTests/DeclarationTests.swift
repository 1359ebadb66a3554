import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct DeclarationTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a topic can be read from a time on`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            // Later than the messages before, and not later than those after.
            let sent = Timestamp.now
            while !Task.isCancelled, Timestamp.now <= sent { await Task.yield() }
            let time = Timestamp.now
            try await replica.publish((4...5).map { .rental(.created, $0, name: "rental \($0)") })
            let consumer = Declared([ConsumerTopic("rentals").starting(at: .time(time))])
            let lag = ConsumerLag(
                consumer,
                database: replica.database,
                broker: replica.broker,
                settings: .forTests
            )
            #expect(try await lag.partitions().map(\.position) == [3, 0, 0, 0])
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY synced_id") == ["4", "5"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `several groups of one process read the same topics, each for its own declaration`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.run("CREATE TABLE names (synced_id bigint NOT NULL UNIQUE, name text)")
            try await replica.publish((1...50).map { .rental(.created, $0, name: "rental \($0)") })
            var (first, second) = (ConsumerSettings.forTests, ConsumerSettings.forTests)
            first.groupPrefix = "first"
            second.groupID = "second"
            let names = Declared([ConsumerTopic("rentals")], replicas: [Persist("Rental", table: "names").element])
            try await withThrowingTaskGroup { [first, second] tasks in
                tasks.addTask { try await replica.consume(Declared([ConsumerTopic("rentals")]), settings: first) }
                tasks.addTask { try await replica.consume(names, settings: second) }
                try await tasks.waitForAll()
            }
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["50"])
            #expect(try await replica.rows("SELECT count(*) FROM names") == ["50"])
            let groups = try await replica.rows("SELECT DISTINCT \"group\" FROM dionysus_offsets ORDER BY \"group\"")
            #expect(groups == ["first_test", "second"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a model that is not listed is kept as the factory says`(_ kind: TestDatabaseKind) async throws {
        var consumer = Declared([ConsumerTopic("rentals")], replicas: [Persist("Villa", table: "rentals").element])
        consumer.choose = { name in
            switch name {
            case "Villa", "Account": nil
            case "House": Persist("Rental", table: "rentals").renaming("label", to: "name").element
            default: .conventional(name)
            }
        }
        try await ReplicaHarness.expect(
            kind,
            [
                .event("villa_created", "Villa", #"{"id":1,"name":"listed"}"#),
                .event("house_created", "House", #"{"id":2,"label":"chosen"}"#),
                .event("rental_created", "Rental", #"{"id":3,"name":"by convention"}"#),
                .event("spaceship_created", "Spaceship", #"{"id":4}"#),
            ],
            by: consumer,
            give: ["1 listed", "2 chosen", "3 by convention"],
            in: "SELECT synced_id, name FROM rentals ORDER BY synced_id"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a model that the factory ignores is not kept, also if a table follows the convention`(
        _ kind: TestDatabaseKind
    ) async throws {
        var consumer = Declared([ConsumerTopic("rentals")], replicas: [.ignored("Booking")])
        consumer.choose = { $0 == "Rental" ? nil : .conventional($0) }
        try await ReplicaHarness.run(kind) { replica in
            let booking = WireMessage(
                "v3_rentals",
                value: #"{"message":[{"event":"booking_created","model_name":"Booking","data":[{"id":1}]}]}"#
            )
            try await replica.publish([.rental(.created, 1, name: "a"), booking])
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == [])
            #expect(try await replica.rows("SELECT synced_id FROM bookings") == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the factory is asked once at the start, once for each name, and not for what can be none`(
        _ kind: TestDatabaseKind
    ) async throws {
        let asked = Mutex<[String]>([])
        var consumer = Declared([ConsumerTopic("rentals")])
        consumer.choose = { name in
            asked.withLock { $0.append(name) }
            return .conventional(name)
        }
        let names = ["Rental", "Ähre", String(repeating: "x", count: 129), #"a\nb"#, "", "Rental"]
        try await ReplicaHarness.run(kind) { [consumer] replica in
            for (id, name) in names.enumerated() {
                let value = """
                    {"message":[{"event":"rental_created","model_name":"\(name)","data":[{"id":\(id)}]}]}
                    """
                try await replica.publish(WireMessage("v3_rentals", value: value))
            }
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT synced_id FROM rentals ORDER BY synced_id") == ["0", "5"])
        }
        #expect(asked.withLock { $0.sorted() } == ["Rental", "Rental", "Ähre"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `namespaces can keep one model in their own ways`(_ kind: TestDatabaseKind) async throws {
        let consumer = Declared(
            parts: [
                ConsumerNamespace("v2") {
                    ConsumerTopic("rentals")
                } models: {
                    Persist("Rental", table: "old_rentals").renaming("title", to: "name")
                },
                ConsumerNamespace("v3") { ConsumerTopic("rentals") },
            ],
            replicas: [Persist("Rental", table: "rentals").renaming("label", to: "name").element]
        )
        try await ReplicaHarness.run(kind) { replica in
            try await replica.run("CREATE TABLE old_rentals (synced_id bigint NOT NULL UNIQUE, name text)")
            var old = WireMessage.event("rental_created", "Rental", #"{"id":1,"title":"old"}"#)
            old.topic = "v2_rentals"
            try await replica.publish([old, .event("rental_created", "Rental", #"{"id":2,"label":"new"}"#)])
            try await replica.consume(consumer)
            #expect(try await replica.rows("SELECT synced_id, name FROM old_rentals") == ["1 old"])
            #expect(try await replica.rows("SELECT synced_id, name FROM rentals") == ["2 new"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `all faults of how models are kept are found at once`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let faults = try await replica.faults(
                of: Declared(
                    parts: [
                        ConsumerNamespace("v2") {
                            ConsumerTopic("heavy", imports: true)
                        } models: {
                            Persist("Rental", table: "old_rentals")
                            Persist("Fee", table: "bookings_fees")
                            Persist("Fee", table: "bookings_fees")
                        },
                        ConsumerNamespace("v3") { ConsumerTopic("rentals") },
                    ],
                    replicas: [
                        Persist("Rental", as: Misfit.self).readOnly("synced_id", "nowhere").softDeleting()
                            .cancelling { _, _ in }.element,
                        Persist("Booking", table: "bookings").columns { $0.id = "remote_id" }.element,
                        Persist("Account", table: "accounts").columns { $0.data = "" }.element,
                        Persist("Invoice") { _, _ in }.renaming("a", to: "b").element,
                    ]
                )
            )
            for part in [
                "Rental in namespace v2: there is no table old_rentals", "Fee in namespace v2 is declared 2 times",
                "no column headline, which Misfit names", "can't have synced_id as a read-only column",
                "no column nowhere that could be read-only", "both a column and a strategy",
                "bookings has no column remote_id", "columns must not have empty names",
                "Invoice is stored by the application", "v2_heavy imports, but no replica says how",
            ] {
                #expect(faults.filter { $0.contains(part) }.count == 1, "\(part)")
            }
            #expect(faults.count == 10)
            let unused = try await replica.faults(
                of: Declared(
                    [ConsumerTopic("rentals")],
                    replicas: [Persist("Rental", table: "rentals").importRecords { _, _ in }.element]
                )
            )
            #expect(unused.count == 1 && unused[0].contains("no topic of it does"))
        }
    }
}

private struct Misfit: Model {
    var id: Int
    var headline: String?

    enum CodingKeys: String, CodingKey { case id, headline }
    static let tableName = "rentals"
}
