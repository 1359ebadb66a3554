import Dionysus
import DionysusConsumer
import Logging
import Synchronization
import TestSupport
import Testing

/// Which models a topic may write.
@Suite struct TopicModelTests {
    private static let accounts: SQL = "SELECT synced_id, name FROM accounts ORDER BY synced_id"

    private static func message(_ topic: String, _ model: String, _ payload: String) -> WireMessage {
        var message = WireMessage.event("\(Inflection.underscored(model))_created", model, payload)
        message.topic = topic
        return message
    }

    private static func consumer(_ topics: ConsumerTopic...) -> Declared {
        Declared(topics, replicas: [Persist("Booking", table: "bookings").replacing("bookings_fees").element])
    }

    @Test(
        arguments: TestDatabaseKind.available,
        ["Account", "account", "ACCOUNT", "Accounts", "accounts"]
    )
    func `by default a topic can't write the model that another topic is named after, however it is spelled`(
        _ kind: TestDatabaseKind,
        _ model: String
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                Self.message("v3_accounts", "Account", #"{"id":1,"name":"true"}"#),
                Self.message("v3_rentals", model, #"{"id":1,"name":"false"}"#),
                Self.message("v3_rentals", model, #"{"id":2,"name":"false"}"#),
                Self.message(
                    "v3_rentals",
                    "Rental",
                    #"{"id":5,"name":"r","links":{"account":1},"account":{"id":1,"name":"false"}}"#
                )
            )
            let lines = LogLines()
            try await replica.consume(
                Self.consumer(ConsumerTopic("accounts"), ConsumerTopic("rentals")),
                loggingTo: lines
            )
            #expect(try await replica.rows(Self.accounts) == ["1 true"])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["r"])
            let told = lines.all.filter { $0.contains("which it may not write") && $0.contains(model) }
            #expect(told.count == 1 && told.allSatisfy { $0.hasPrefix("warning") }, "\(lines.all)")
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic that names its models keeps these alone, those that come along included`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let booking = """
                {"id":1,"links":{"bookings_fees":[2],"rental":3},"bookings_fees":[{"id":2,"name":"fee"}],\
                "rental":{"id":3,"name":"false"}}
                """
            try await replica.publish(
                Self.message("v3_bookings", "Booking", booking),
                Self.message("v3_bookings", "Account", #"{"id":1,"name":"false"}"#),
                Self.message("v3_bookings", "BookingsFee", #"{"id":4,"name":"fee 4"}"#),
                Self.message("v3_bookings", "bookings_fee", #"{"id":4,"name":"false"}"#)
            )
            let lines = LogLines()
            try await replica.consume(
                Self.consumer(ConsumerTopic("bookings", accepting: ["Booking", "BookingsFee"])),
                loggingTo: lines
            )
            #expect(try await replica.rows("SELECT synced_id, synced_rental_id FROM bookings") == ["1 3"])
            #expect(try await replica.rows("SELECT name FROM bookings_fees ORDER BY synced_id") == ["fee", "fee 4"])
            #expect(try await replica.rows("SELECT name FROM rentals") == [])
            #expect(try await replica.rows(Self.accounts) == [])
            #expect(lines.all.count { $0.contains("which it may not write") } == 3)
            #expect(lines.all.contains("info v3_bookings may write Booking, BookingsFee"))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic that accepts any model, one that is alone, and a genesis topic write what they are sent`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                Self.message("v3_rentals", "Account", #"{"id":1,"name":"any"}"#),
                Self.message("v3_accounts_genesis", "Account", #"{"id":2,"name":"genesis"}"#),
                Self.message("v3_alone", "Account", #"{"id":3,"name":"alone"}"#)
            )
            let lines = LogLines()
            try await replica.consume(
                Self.consumer(
                    ConsumerTopic("accounts"),
                    ConsumerTopic("accounts_genesis"),
                    ConsumerTopic("rentals", accepting: .any)
                ),
                loggingTo: lines
            )
            #expect(lines.all.contains("info v3_rentals may write any model"))
            #expect(
                lines.all.contains("info v3_accounts may write any model but Rental, which are those of other topics")
            )
            try await replica.consume(Self.consumer(ConsumerTopic("alone")))
            #expect(try await replica.rows(Self.accounts) == ["1 any", "2 genesis", "3 alone"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic declared by a pattern is held to its models, too`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                Self.message("v3_other", "Account", #"{"id":1,"name":"false"}"#),
                Self.message("v3_other", "Rental", #"{"id":1,"name":"true"}"#)
            )
            try await replica.consume(
                Self.consumer(ConsumerTopic("accounts"), ConsumerTopic(matching: "oth[a-z]+"))
            )
            #expect(try await replica.rows(Self.accounts) == [])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["true"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a failure and a handled event are held to the models of their topic when they are retried`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.take(name: "taken")
            let both = """
                {"message":[{"event":"account_created","model_name":"Account","data":[{"id":1,"name":"false"}]},\
                {"event":"rental_created","model_name":"Rental","data":[{"id":1,"name":"taken"}]}]}
                """
            try await replica.publish(WireMessage("v3_rentals", key: "Rental:1", value: both))
            let consumer = Self.consumer(ConsumerTopic("accounts"), ConsumerTopic("rentals"))
            try await replica.consume(consumer)
            #expect(try await replica.failedOffsets == ["0"])
            try await replica.release()
            #expect(try await replica.failures(consumer).retryAll().map(\.outcome) == [.applied])
            #expect(try await replica.rows(Self.accounts) == [])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["taken"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `messages of very many small records are worked on in parts`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let records = (0..<42_000).map { #"{"id":\#($0),"links":{}}"# }.joined(separator: ",")
            let message = WireMessage.event("castle_updated", "Castle", records)
            try await replica.publish(Array(repeating: message, count: 4))
            let watched = WatchedDatabase(replica.database)
            try await replica.consume(database: watched)
            let moves = watched.takeStatements()
                .filter { $0.contains("INTO dionysus_offsets") || $0.hasPrefix("UPDATE dionysus_offsets") }
            #expect(moves.count == 4)
            #expect(
                try await replica.rows(
                    "SELECT next_offset FROM dionysus_offsets WHERE topic = 'v3_rentals' AND \"partition\" = 0"
                ) == ["4"]
            )
        }
    }
}
