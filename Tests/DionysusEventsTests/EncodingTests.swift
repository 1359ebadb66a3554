import Dionysus
import DionysusEvents
import DionysusProducer
import DionysusSchemas
import Foundation
import TestSupport
import Testing

@testable import StreamTool

/// Events in the encodings of models, and in the contract.
@Suite struct EncodingTests {
    static let encodings: [TopicEncoding] = [
        .record(.json), .record(.avro), .record(.avro(key: .field("stream"))), .record(.jsonSchema()),
        .envelope(.avro), .envelope(.avro(key: .field("stream"))), .envelope(.jsonSchema()),
    ]

    @Test(arguments: TestDatabaseKind.available, encodings.indices)
    func `events go through a topic of any encoding to a projection`(_ kind: TestDatabaseKind, _ index: Int)
        async throws
    {
        try await EventsHarness.run(kind, encoding: Self.encodings[index]) { harness in
            let board = Projector(Balances(), store)
            try await harness.write { try board.create(in: &$0) }
            for id in ["1", "2"] {
                try await harness.append(Opened(owner: "Ada"), Deposited(amount: 4), to: StreamName("account", id))
                try await harness.append(Deposited(amount: 5), Closed(), to: StreamName("account", id))
            }
            try await harness.relay()
            let values = try await readRaw("bank_events", from: harness.broker)
            #expect(values.count == 8)
            try await harness.consume(Follow(board))
            #expect(try await harness.balances() == ["1 9 4", "2 9 4"])
        }
    }

    @Test func `the contract lists the types of events with their versions and members`() async throws {
        try await EventsHarness.run(.sqlite) { harness in
            let contract = try harness.registry.contract
            guard case .array(let topics)? = contract.document["topics"], case .array(let models)? = topics[0]["models"]
            else { throw DionysusError(.malformed, "no topics") }
            #expect(
                models[0]["events"] == [
                    ["name": "Closed", "version": 1, "attributes": []],
                    [
                        "name": "Deposited", "version": 1,
                        "attributes": [["name": "amount", "type": "integer", "nullable": false]],
                    ],
                    [
                        "name": "Opened", "version": 1,
                        "attributes": [["name": "owner", "type": "string", "nullable": false]],
                    ], ["name": "dionysus.stream_ended", "version": 1, "attributes": []],
                ]
            )
            #expect(try Contract(parsing: contract.document.bytes).document == contract.document)
            #expect(contract.markdown.contains("| `Deposited` | 1 | `amount`: integer |"))
        }
    }

    @Test func `a new version of an event, or one that is gone, breaks a consumer`() throws {
        struct Paid: Event {
            static let eventName = "Deposited"
            static let eventVersion = 2
            var amount: Int
        }
        struct Renamed: Event {
            static let eventName = "Opened"
            var name: String
        }
        struct Declaration: Producer {
            var types: EventTypes
            var namespaces: [Namespace] {
                Namespace("bank", serializers: .streamEvents) { Topic.streamEvents("events", of: types) }
            }
        }
        func contract(_ types: EventTypes) throws -> Contract { try Registry(Declaration(types: types)).contract }
        let old = try contract(EventTypes(Opened.self, Deposited.self))
        let new = try contract(EventTypes(Renamed.self, Paid.self, Closed.self))
        let place = "topic bank_events, model StreamEvent, event"
        #expect(
            new.breakingChanges(since: old, for: .forward).map(\.description) == [
                "\(place) Deposited: raised from version 1 to 2, which is unknown there",
                "\(place) Opened, attribute owner: removed", "\(place) Closed: added, and is unknown there",
            ]
        )
        #expect(
            old.breakingChanges(since: new, for: .backward).map(\.description) == [
                "\(place) Closed: removed, and old messages have it",
                "\(place) Deposited: lowered from version 2 to 1",
                "\(place) Opened, attribute owner: added, and old messages don't have it though it isn't nullable",
            ]
        )
        #expect(old.breakingChanges(since: old, for: .full).isEmpty)
    }
}
