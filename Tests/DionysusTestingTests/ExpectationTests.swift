import Dionysus
import DionysusProducer
import DionysusTesting
import Foundation
import Testing

@testable import Rentals

/// The expectations of the test kit.
@Suite(.timeLimit(.minutes(10))) struct ExpectationTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `a change publishes the expected events`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write {
                try $0.insert(Account.sample())
                try $0.insert(Rental.sample())
            }
            // Earlier writes don't count.
            try await test.expectPublished(["rental_updated"], in: "v3_rentals") {
                try $0.update(Account.sample(checkIn: 16))
            }
            try await test.expectPublished([], in: "v3_bookings") { try $0.update(Account.sample(checkIn: 17)) }
            await #expect {
                try await test.expectPublished(["rental_updated"], in: "v3_rentals") {
                    try $0.run("UPDATE accounts SET name = 'Other'")
                }
            } throws: { error in
                "\(error)" == "expected the change to publish rental_updated in v3_rentals, but it published nothing"
            }
            let messages = try await test.published { try $0.run("UPDATE accounts SET default_check_in_time = 20") }
            #expect(Set(messages.map(\.source.topic)) == ["v3_accounts", "v3_accounts_genesis", "v3_rentals"])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a model is published when it is created, changed and deleted`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.expectPublishable(Account.sample(), in: "v3_accounts") { $0.name = "Other" }
            await #expect {
                try await test.expectPublishable(Account.sample(), in: "v3_rentals") { $0.name = "Other" }
            } throws: { error in
                "\(error)".contains("expected the change to publish account_created in v3_rentals")
            }
        }
    }

    @Test func `a message with some attributes was sent, or the closest one is shown`() async throws {
        try await withRentals(.sqlite) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            try await test.relay()
            let message = try test.expectSent(["name": "Acme"], in: "v3_accounts")
            #expect(message.event == "account_created")
            #expect(throws: ExpectationFailure.self) {
                try test.expectSent(["name": "Acme"], in: "v3_accounts", key: "none")
            }
            #expect {
                try test.expectSent(["name": "Other"], in: "v3_accounts")
            } throws: { error in
                "\(error)".contains("name: \"Other\" is expected, and it is \"Acme\"")
            }
        }
    }

    @Test func `a change without effect is detected`() async throws {
        try await withRentals(.sqlite) { test in
            await #expect {
                try await test.expectPublishable(Account.sample(), in: "v3_accounts") { _ in }
            } throws: { error in
                "\(error)".contains("account_updated")
            }
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a payload equals the golden file`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write {
                try $0.insert(Account.sample())
                try $0.insert(Rental.sample())
            }
            try await test.settle()
            let payload = try #require(test.messages(in: "v3_rentals").first?.payload)
            try GoldenFile("rental").expect(payload)
            try GoldenFile("rental").expect(payload, ignoring: ["created_at", "updated_at"])

            // The file's content can be delivered, too.
            let golden = try GoldenFile("rental").read()
            try await test.deliver(TestMessage("rental_updated", of: "Rental", in: "v3_rentals", golden))
            #expect(try await test.replica.rows("rentals").count == 1)
        }
    }

    @Test func `a payload that differs from the golden file is reported with the first difference`() throws {
        let directory = NSTemporaryDirectory() + "/golden-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try #"{"id":1,"name":"Old","tags":["a","b"]}"#
            .write(
                toFile: directory + "/a.json",
                atomically: true,
                encoding: .utf8
            )
        let file = GoldenFile("a", in: directory)
        try file.expect(["id": 1, "name": "Old", "tags": ["a", "b"]])
        try file.expect(["id": 1, "name": "New", "tags": ["a", "b"]], ignoring: ["name"])
        let different: [(JSON, String)] = [
            (
                ["id": 1, "name": "New", "tags": ["a", "b"]],
                "line 3 of a.json, «\"name\": \"Old\",», but it was «\"name\": \"New\",»"
            ),
            (["name": "Old", "id": 1, "tags": ["a", "b"]], "line 2"), (["id": 1], "line 2"), ([], "line 1"),
            (["id": 1, "name": "Old", "tags": ["a", "b"], "more": .null], "line 7"),
            (["id": "1", "name": "Old", "tags": ["a", "b"]], "line 2"),
        ]
        for (document, message) in different {
            #expect {
                try file.expect(document)
            } throws: { error in
                "\(error)".contains(message)
            }
        }
        #expect {
            try file.expect(["id": 1, "tags": ["a", "b"]], ignoring: ["name"])
        } throws: { error in
            error is ExpectationFailure
        }
        #expect {
            try GoldenFile("absent", in: directory).expect(["id": 1])
        } throws: { error in
            "\(error)".contains("DIONYSUS_TEST_RECORD_GOLDEN=1")
        }
        try "{".write(toFile: directory + "/broken.json", atomically: true, encoding: .utf8)
        #expect(throws: ExpectationFailure.self) { try GoldenFile("broken", in: directory).expect(["id": 1]) }
    }

    @Test func `tests show JSON as JSON`() {
        let document: JSON = ["id": 1, "name": "By the \"sea\"", "tags": ["a", .null, true]]
        let text = #"{"id":1,"name":"By the \"sea\"","tags":["a",null,true]}"#
        #expect(String(describingForTest: document) == text)
        #expect(String(reflecting: document) == text)
        #expect("\([document])" == "[\(text)]")
    }
}
