import Dionysus
import DionysusFile
import DionysusProducer
import Foundation
import TestSupport
import Testing

@testable import Rentals

/// The same changes give the same messages as dionysus-rb published.
@Suite struct GoldenTests {
    /// A file of messages, what is there before, and the changes that lead to them.
    struct Story: Sendable, CustomTestStringConvertible {
        let file: String
        let before: [SQL]
        let changes: [SQL]
        var testDescription: String { file }
    }

    static let account: SQL = "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme & <Co> ☃', 15)"
    static let rental: SQL =
        "INSERT INTO rentals (id, account_id, name, price, bedrooms) VALUES (1, 1, 'Villa Saganaki', 123.45, 3)"
    static let booking: SQL =
        "INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES (1, 1, '2026-12-24T15:00:00.000000Z', 500)"
    static let fees: [SQL] = [
        "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (1, 1, 'cleaning', 40.5)",
        "INSERT INTO bookings_fees (id, booking_id, name, amount) VALUES (2, 1, 'pets', 10)",
    ]
    static let casa: [SQL] = [
        account, "UPDATE accounts SET default_check_in_time = 16",
        "INSERT INTO rentals (id, account_id, name, price, bedrooms) VALUES (2, 1, 'Casa Tzatziki', 80, 1)",
    ]

    static let stories = [
        Story(file: "01_account_created", before: [], changes: [account]),
        Story(file: "02_rental_created", before: [account], changes: [rental]),
        Story(
            file: "03_rental_updated",
            before: [account, rental],
            changes: ["UPDATE rentals SET name = 'Villa Moussaka', price = 150"]
        ),
        Story(file: "04_booking_created", before: [account, rental], changes: [booking]),
        Story(file: "05_dependency_created_parent_updated", before: [account, rental, booking], changes: fees),
        Story(
            file: "06_dependency_updated_parent_updated",
            before: [account, rental, booking] + fees,
            changes: ["UPDATE bookings_fees SET amount = 45 WHERE id = 1"]
        ),
        Story(
            file: "10_soft_delete",
            before: casa,
            changes: ["UPDATE rentals SET canceled_at = '2026-11-21T12:00:00.000000Z' WHERE id = 2"]
        ),
        Story(
            file: "13_uncancel",
            before: casa + ["UPDATE rentals SET canceled_at = '2026-11-21T12:00:00Z', name = 'Casa canceled'"],
            changes: ["UPDATE rentals SET canceled_at = NULL WHERE id = 2"]
        ),
        Story(
            file: "16_rental_destroyed_hard",
            before: casa + ["INSERT INTO rentals (id, account_id, name) VALUES (3, 1, 'gone')"],
            changes: ["DELETE FROM rentals WHERE id = 3"]
        ),
    ]

    @Test(
        "topics, keys, partitions, events, attributes, links and sideloads",
        arguments: TestDatabaseKind.available,
        stories
    )
    func story(_ kind: TestDatabaseKind, _ story: Story) async throws {
        let expected = try goldenMessages(story.file)
        for producer in try Self.declarations { try await publish(kind, story, producer, expected) }
    }

    /// The example's declaration in code, and in its file.
    private static var declarations: [any Producer] {
        get throws {
            let file = URL(filePath: #filePath).appending(path: "../../../Examples/Rentals/rentals.yml").standardized
            let declaration = try DeclarationFile(path: file.path, environment: [:])
            return [BookingSync(), try #require(declaration.producer)]
        }
    }

    private func publish(
        _ kind: TestDatabaseKind,
        _ story: Story,
        _ producer: any Producer,
        _ expected: [GoldenMessage]
    ) async throws {
        try await ProducerHarness.run(kind, producer: producer) { harness in
            for statement in story.before { try await harness.write(statement) }
            try await harness.relay()
            var published: [String: Int] = [:]
            let topics = Set(expected.map(\.topic))
            for topic in topics { published[topic] = try await harness.messages(in: topic).count }
            for statement in story.changes { try await harness.write(statement) }
            try await harness.relay()
            for topic in topics {
                // The log is read partition by partition, and a story stays in one.
                let messages = try await harness.messages(in: topic).dropFirst(published[topic] ?? 0)
                let golden = expected.filter { $0.topic == topic }
                #expect(messages.map(\.key) == golden.map(\.key))
                #expect(messages.map(\.partition) == golden.map(\.partition))
                #expect(messages.map { comparable($0.value) } == golden.map { comparable($0.value) })
            }
        }
    }

    @Test(
        "a responder's message with two events, one of them past the serializer",
        arguments: TestDatabaseKind.available
    )
    func responder(_ kind: TestDatabaseKind) async throws {
        let expected = try #require(try goldenMessages("25_batch_and_serialize_false").first)
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                Self.account,
                "UPDATE accounts SET default_check_in_time = 16",
                Self.rental,
                "UPDATE rentals SET name = 'Villa Moussaka', price = 150"
            )
            let rental = Rental(
                id: 1,
                accountID: 1,
                name: "",
                price: 0,
                bedrooms: 0,
                createdAt: .now,
                updatedAt: .now
            )
            let responder = try await harness.responder()
            try await responder.respond(
                in: "v3_rentals",
                ResponderMessage(
                    [
                        ResponderEvent(.created, [rental]),
                        ResponderEvent(.destroyed, of: Rental.self, payloads: [["id": 2]]),
                    ],
                    key: "RecordsCollection:1"
                )
            )
            await responder.close()
            let message = try #require(try await harness.messages(in: "v3_rentals").first)
            #expect(message.key == expected.key)
            #expect(message.partition == expected.partition)
            #expect(comparable(message.value) == comparable(expected.value))
        }
    }

    @Test(
        "with the wire of dionysus-rb, messages are the same to the byte, but for the digits of times",
        arguments: TestDatabaseKind.available,
        stories
    )
    func bytes(_ kind: TestDatabaseKind, _ story: Story) async throws {
        let expected = try goldenMessages(story.file)
        for producer in try Self.declarations { try await publishBytes(kind, story, producer, expected) }
    }

    private func publishBytes(
        _ kind: TestDatabaseKind,
        _ story: Story,
        _ producer: any Producer,
        _ expected: [GoldenMessage]
    ) async throws {
        var settings = ProducerSettings()
        settings.wire = .dionysusRb
        try await ProducerHarness.run(kind, settings: settings, producer: producer) { harness in
            for statement in story.before { try await harness.write(statement) }
            try await harness.relay()
            let topics = Set(expected.map(\.topic))
            var published: [String: Int] = [:]
            for topic in topics { published[topic] = try await harness.messages(in: topic).count }
            for statement in story.changes { try await harness.write(statement) }
            try await harness.relay()
            for topic in topics {
                let messages = try await harness.messages(in: topic).dropFirst(published[topic] ?? 0)
                #expect(
                    messages.map { timeless($0.text) }
                        == expected.filter { $0.topic == topic }.map { timeless($0.text) }
                )
            }
        }
    }

    @Test(
        "with the wire of dionysus-rb, a responder's message is the same to the byte, but for the digits of times",
        arguments: TestDatabaseKind.available
    )
    func responderBytes(_ kind: TestDatabaseKind) async throws {
        let expected = try #require(try goldenMessages("01_account_created").first)
        var settings = ProducerSettings()
        settings.wire = .dionysusRb
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(Self.account)
            let account = Account(id: 1, name: "", defaultCheckInTime: 15, createdAt: .now, updatedAt: .now)
            let responder = try await harness.responder()
            try await responder.respond(in: "v3_accounts", ResponderMessage([ResponderEvent(.created, [account])]))
            await responder.close()
            let message = try #require(try await harness.messages(in: "v3_accounts").first)
            #expect(timeless(message.text) == timeless(expected.text))
            let preview = try await MessagePreview.of(
                "Account",
                id: "1",
                in: "v3_accounts",
                harness.registry,
                database: harness.database,
                settings: settings
            )
            let text = String(decoding: preview?.value ?? [], as: UTF8.self)
            #expect(timeless(text) == timeless(expected.text).replacing("account_created", with: "account_updated"))
        }
    }

    /// A text in which every digit of a time is 0.
    private func timeless(_ text: String) -> String {
        text.replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/) { match in
            match.output.0.map { $0.isNumber ? "0" : "\($0)" }.joined()
        }
    }

    /// A value without what may differ: times, and the digits of decimals.
    private func comparable(_ value: JSON, under name: String = "") -> JSON {
        switch value {
        case .object(let object):
            let members = object.members.map { JSON.Object.Member($0.name, comparable($0.value, under: $0.name)) }
            // dionysus-rb writes the links of a record that is gone before its id.
            return .object(JSON.Object(members.sorted { $0.name < $1.name }))
        case .array(let elements): return .array(elements.map { comparable($0, under: name) })
        case .string(let text):
            if name.hasSuffix("_at") { return .bool(Timestamp(text) != nil) }
            if ["price", "final_price", "amount"].contains(name), let decimal = ExactDecimal(text) {
                return .string(decimal.rounded(toScale: 2).description)
            }
            return value
        default: return value
        }
    }
}
