import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// The command that compares dionysus-rb's messages with what would be published now.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct ComparePayloadsTests {
    /// The records of the messages that dionysus-rb published, in their state at that time.
    private static let records = """
        INSERT INTO accounts (id, name, default_check_in_time, created_at, updated_at)
          VALUES (1, 'Acme & <Co> ☃', 15, '2026-11-21T03:59:46.181Z', '2026-11-21T03:59:46.181999Z');
        INSERT INTO rentals (id, account_id, name, price, bedrooms, created_at, updated_at)
          VALUES (1, 1, 'Villa Moussaka', 150, 3, '2026-11-21T03:59:48.440Z', '2026-11-21T03:59:51.538Z');
        INSERT INTO bookings (id, rental_id, start_at, base_price, created_at, updated_at)
          VALUES (1, 1, '2026-12-24T15:00:00.000Z', 500, '2026-11-21T03:59:54.646Z', '2026-11-21T03:59:54.646Z');
        INSERT INTO bookings_fees (id, booking_id, name, amount, created_at, updated_at) VALUES
          (1, 1, 'cleaning', 45, '2026-11-21T03:59:58.739Z', '2026-11-21T04:00:02.842Z'),
          (2, 1, 'pets', 10, '2026-11-21T03:59:58.747Z', '2026-11-21T03:59:58.747Z');
        """

    private static func with(
        _ kind: InstallationKind,
        digits: String? = "3",
        _ body: (Installation) async throws -> Void
    ) async throws {
        try await Installation.with(kind) { installation in
            var installation = installation
            installation.environment["DIONYSUS_TIME_FRACTION_DIGITS"] = digits
            try await installation.succeed("migrate")
            try await installation.succeed("topics", "--create")
            try await installation.write(records)
            try await body(installation)
        }
    }

    @Test(
        "payloads that are equal to the last digit exit with 0, others with 1",
        arguments: InstallationKind.available
    )
    func accounts(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation in
            try await installation.publish(golden: "01_account_created")
            let text = try await installation.succeed("compare-payloads", "v3_accounts")
            #expect(text.hasPrefix("v3_accounts: 1 records compared: 1 equal, 0 different"))

            var precise = installation
            precise.environment["DIONYSUS_TIME_FRACTION_DIGITS"] = "6"
            let result = try await precise.run("compare-payloads", "v3_accounts")
            #expect(result.status == 1)
            #expect(result.output.contains(#""2026-11-21T03:59:46.181Z"  "2026-11-21T03:59:46.181999Z""#))
            #expect(!result.errors.contains("Error"))

            // A record that has changed since says nothing about serializers, and there is nothing else to compare.
            try await installation.write("UPDATE accounts SET name = 'Other', updated_at = '2026-11-22T00:00:00Z';")
            let changed = try await installation.run("compare-payloads", "v3_accounts", "--json")
            let report = try JSON(parsing: Array(changed.output.utf8))
            #expect(changed.status == 1 && report["changed_since"] == .integer(1) && report["compared"] == .integer(0))
            #expect(changed.errors.contains("no message of another producer could be compared"))
        }
    }

    @Test(
        "a record's newest message counts, including its parts, and this library's messages are skipped",
        arguments: InstallationKind.available
    )
    func bookings(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation in
            try await installation.publish(golden: "04_booking_created")
            try await installation.publish(golden: "05_dependency_created_parent_updated")
            try await installation.publish(golden: "06_dependency_updated_parent_updated")
            try await installation.succeed("relay", "--until-empty")
            let result = try await installation.run("compare-payloads", "v3_bookings", "--json")
            let report = try JSON(parsing: Array(result.output.utf8))
            #expect(result.status == 1)
            #expect(report["compared"] == .integer(1))
            if case .integer(let own)? = report["own"] { #expect(own > 0) } else { Issue.record("own is missing") }
            #expect(report.paths == ["final_price", "bookings_fees[0].amount", "bookings_fees[1].amount"])
            let text = try await installation.run("compare-payloads", "v3_bookings").output
            #expect(text.contains("bookings_fees[0].amount") && !text.contains("bookings_fees[1].amount"))
        }
    }

    @Test(
        "in dionysus-rb's format, the same rows give the messages that it published",
        arguments: InstallationKind.available
    )
    func equality(_ kind: InstallationKind) async throws {
        try await Self.with(kind, digits: nil) { installation in
            var installation = installation
            installation.environment["DIONYSUS_WIRE"] = "dionysus-rb"
            let topics = ["v3_accounts", "v3_bookings", "v3_rentals"]
            for file in ["01_account_created", "03_rental_updated", "06_dependency_updated_parent_updated"] {
                try await installation.publish(golden: file)
            }
            for topic in topics {
                let text = try await installation.succeed("compare-payloads", topic)
                #expect(text.hasPrefix("\(topic): 1 records compared: 1 equal, 0 different"), "\(text)")
            }
            // A record that was canceled, one that was restored, and an attribute from another record.
            for (change, file) in [
                ("'Casa canceled', 80, 1, NULL, '2026-11-21T04:00:33.927Z'", "13_uncancel"),
                ("'Casa canceled', 80, 1, '2026-11-22T00:00:00Z', '2026-11-21T04:01:09.382Z'", "21_genesis_rentals"),
            ] {
                try await installation.write(
                    """
                    UPDATE accounts SET default_check_in_time = 16;
                    DELETE FROM rentals WHERE id = 2;
                    INSERT INTO rentals (id, account_id, created_at, name, price, bedrooms, canceled_at, updated_at)
                      VALUES (2, 1, '2026-11-21T04:00:10.974Z', \(change));
                    """
                )
                // So that no message from before the account's change is the newest of its record.
                try await installation.publish(golden: "21_genesis_rentals")
                try await installation.publish(golden: file)
                let text = try await installation.succeed("compare-payloads", "v3_rentals")
                #expect(text.hasPrefix("v3_rentals: 2 records compared: 2 equal, 0 different"), "\(text)")
            }
            // The same for the messages that are actually sent.
            try await installation.succeed("relay", "--until-empty")
            for (topic, file) in [
                ("v3_bookings", "06_dependency_updated_parent_updated"), ("v3_rentals", "21_genesis_rentals"),
            ] {
                let ours = try await installation.withBroker { try await readAll(topic, from: $0) }
                    .filter { $0.headers[HeaderName.eventID] != nil }
                for message in try goldenMessages(file) {
                    let newest = try #require(ours.last { $0.key == message.key }, "\(message.key)")
                    #expect(message.text.contains(#""data":[\#(newest.payload.text)]"#), "\(newest.text)")
                }
            }
        }
    }

    @Test(
        "missing members, and differing keys, partitions and events are reported",
        arguments: InstallationKind.available
    )
    func shapes(_ kind: InstallationKind) async throws {
        try await Self.with(kind) { installation in
            let payload = """
                {"name":"Acme & <Co> ☃","id":1,"extra":[1.50],"created_at":"2026-11-21T03:59:46.181Z",\
                "updated_at":"2026-11-21T03:59:46.181Z","links":{}}
                """
            let value = """
                {"message":[{"event":"acount_updated","model_name":"Account","data":[\(payload)]},\
                {"event":"ghost_updated","model_name":"Ghost","data":[{"id":1}]}]}
                """
            try await installation.publish(value, key: "Acount:1", partition: 0)
            var report = try await installation.comparison("v3_accounts")
            #expect(report.paths == ["extra", "default_check_in_time", "(order)", "(event)"])
            #expect(report["unknown"] == .integer(1))

            let alone = #"{"message":[{"event":"account_created","model_name":"Account","data":[\#(payload)]}]}"#
            try await installation.publish(alone, key: "Acount:1", partition: 0)
            report = try await installation.comparison("v3_accounts")
            #expect(report.paths == ["extra", "default_check_in_time", "(order)", "(key)", "(partition)"])

            // Tombstones, other bytes and missing records are not differences.
            for value in [
                "null", "{",
                #"{"message":[{"event":"account_updated","model_name":"Account","data":[{"id":7},{"id":"x"},7]}]}"#,
            ] {
                try await installation.publish(value, key: "Account:7", partition: 1)
            }
            report = try await installation.comparison("v3_accounts")
            #expect(report["gone"] == .integer(2) && report["different"] == .integer(1))
        }
    }

    @Test("wrong topics, models and numbers are wrong usage")
    func usage() async throws {
        try await Self.with(.embedded) { installation in
            for arguments in [
                ["v3_ghosts"], ["v3_accounts", "--model", "Ghost"], ["v3_accounts", "--last", "0"], [],
            ] {
                let result = try await installation.run(["compare-payloads"] + arguments)
                #expect(result.status == 64)
            }
        }
    }

    @Test(
        "a record has changed since if a time of an update differs by more than precision",
        arguments: [
            (#"{"updated_at":"2026-01-01T00:00:00.400Z"}"#, #"{"updated_at":"2026-01-01T00:00:00.400999Z"}"#, false),
            (#"{"updated_at":"2026-01-01T00:00:00.4Z"}"#, #"{"updated_at":"2026-01-01T00:00:00.500Z"}"#, true),
            (#"{"updated_at":"2026-01-01T00:00:00Z"}"#, #"{"updated_at":"2026-01-01T00:00:00.999Z"}"#, false),
            (#"{"updated_at":"1969-12-31T23:59:59.999Z"}"#, #"{"updated_at":"1969-12-31T23:59:59.999001Z"}"#, false),
            (#"{"updated_at":null}"#, #"{"updated_at":"2026-01-01T00:00:00Z"}"#, true),
            (#"{"parts":[{"id":1}]}"#, #"{"parts":[]}"#, true),
            (#"{"tags":["a"]}"#, #"{"tags":[]}"#, false),
            (#"{"price":"1.50"}"#, #"{"price":"1.5"}"#, false),
        ]
    )
    func changes(_ theirs: String, _ ours: String, _ hasChanged: Bool) throws {
        let comparison = PayloadComparison(
            of: try JSON(parsing: Array(theirs.utf8)),
            with: try JSON(parsing: Array(ours.utf8))
        )
        #expect(comparison.hasChanged == hasChanged)
        #expect(!comparison.differences.isEmpty)
    }
}

extension Installation {
    /// Publishes messages as dionysus-rb did, without headers.
    fileprivate func publish(golden file: String) async throws {
        for message in try goldenMessages(file) where !message.topic.hasSuffix("_genesis") {
            try await publish(message.value.text, topic: message.topic, key: message.key, partition: message.partition)
        }
    }

    fileprivate func publish(
        _ value: String,
        topic: String = "v3_accounts",
        key: String,
        partition: Int32
    ) async throws {
        try await withBroker { broker in
            let producer = try await broker.makeProducer(ProducerOptions(clientID: "ruby"))
            let message = OutgoingMessage(
                topic: topic,
                destination: .partition(partition),
                key: Array(key.utf8),
                value: Array(value.utf8)
            )
            for result in await producer.send([message]) { _ = try result.get() }
            await producer.close(deadline: .seconds(10))
        }
    }

    fileprivate func comparison(_ topic: String) async throws -> JSON {
        let result = try await run("compare-payloads", topic, "--json")
        #expect(result.status == 1)
        return try JSON(parsing: Array(result.output.utf8))
    }
}

extension JSON {
    fileprivate var paths: [String] {
        guard case .array(let list)? = self["differences"] else { return [] }
        return list.compactMap { element in
            guard case .string(let path)? = element["path"] else { return nil }
            return path
        }
    }
}
