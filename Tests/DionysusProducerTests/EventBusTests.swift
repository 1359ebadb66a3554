import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// What the event bus receives about published messages.
@Suite struct EventBusTests {
    @Test("dionysus.respond comes after the acknowledgement, for each message", arguments: TestDatabaseKind.available)
    func respond(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            let responses = Collected<RespondEvent>()
            let bus = InProcessEventBus()
            bus.subscribe(to: RespondEvent.self) { event in
                let partition = TopicPartition(event.topic, event.partition)
                let next = try await harness.broker.offsets(of: [partition])[partition]?.next
                #expect(next.map { $0 > event.offset } == true)
                responses.add(event)
            }
            var instrumentation = Instrumentation()
            instrumentation.eventBus = bus
            let errors = Collected<ErrorContext>()
            instrumentation.errorHandler = errors
            try await harness.relayService(instrumentation).run()

            #expect(RespondEvent.name == "dionysus.respond")
            #expect(errors.all == [])
            #expect(responses.all.map(\.topic).sorted() == ["v3_accounts", "v3_accounts_genesis", "v3_rentals"])
            let rental = try #require(responses.all.first { $0.topic == "v3_rentals" })
            #expect(rental.events == [.init(name: "rental_created", model: "Rental", ids: ["1"])])
            let value = try JSON(parsing: try #require(rental.value))
            #expect(value["message"]?.firstElement?["event"] == "rental_created")
            #expect(rental.key == "Rental:1" && rental.partitionKey == "1")
            #expect(rental.headers.map(\.name) == [HeaderName.eventID, HeaderName.version])
        }
    }

    @Test("a message that failed has no event", arguments: TestDatabaseKind.available)
    func failure(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name, price) VALUES (2, 1, 'Hut', 50)"
            )
            let keys = Collected<String?>()
            let bus = InProcessEventBus()
            bus.subscribe(to: RespondEvent.self) { keys.add($0.key) }
            var instrumentation = Instrumentation()
            instrumentation.eventBus = bus
            instrumentation.errorHandler = Collected<ErrorContext>()
            let broker = RefusingBroker.rejecting("Rental:1", harness.broker)
            try await harness.relayService(instrumentation, broker: broker).run()
            #expect(Set(keys.all) == ["Account:1", "Rental:2"])
        }
    }

    @Test("an event's name is the one that was published", arguments: TestDatabaseKind.available)
    func reconciledName(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            try await harness.relay()
            try await harness.write("DELETE FROM accounts WHERE id = 1", CaptureTests.account)
            let names = Collected<String>()
            let bus = InProcessEventBus()
            bus.subscribe(to: RespondEvent.self) { event in
                if event.topic == "v3_accounts" { names.add(event.events.map(\.name).joined()) }
            }
            var instrumentation = Instrumentation()
            instrumentation.eventBus = bus
            try await harness.relayService(instrumentation).run()
            let published = try await harness.messages(in: "v3_accounts").map(\.event)
            #expect(names.all == Array(published.dropFirst()))
            #expect(names.all.first == "account_updated")
        }
    }

    @Test(
        "messages that are published without the outbox reach the bus too, and those that failed don't",
        arguments: TestDatabaseKind.available
    )
    func responder(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            let responses = Collected<RespondEvent>()
            let bus = InProcessEventBus()
            bus.subscribe(to: RespondEvent.self, responses.add)
            var instrumentation = Instrumentation()
            instrumentation.eventBus = bus
            let responder = try await Responder(
                harness.registry,
                database: harness.database,
                broker: RefusingBroker.rejecting("Account:2", harness.broker),
                settings: harness.settings,
                instrumentation: instrumentation
            )
            let destroyed = ResponderEvent(.destroyed, of: Account.self, payloads: [["id": 8], ["id": 9]])
            await #expect(throws: DionysusError.self) {
                try await responder.respond(
                    in: "v3_accounts",
                    ResponderMessage([ResponderEvent("account_audited", of: Account.self, payloads: [["id": 2]])]),
                    ResponderMessage([destroyed], partitionKey: "p")
                )
            }
            await responder.close()
            #expect(responses.all.map(\.topic) == ["v3_accounts", "v3_accounts_genesis"])
            #expect(responses.all.allSatisfy { $0.key == "Account:8" && $0.partitionKey == "p" })
            let event = RespondEvent.Event(name: "account_destroyed", model: "Account", ids: ["8", "9"])
            #expect(responses.all.first?.events == [event])
        }
    }

    @Test(
        "a subscriber that throws stops neither the relay nor the others, and its error is handled",
        arguments: TestDatabaseKind.available
    )
    func isolation(_ kind: TestDatabaseKind) async throws {
        struct Refusal: Error {}
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            let (keys, errors) = (Collected<String?>(), Collected<ErrorContext>())
            let bus = InProcessEventBus()
            bus.subscribe(to: RespondEvent.self) { _ in throw Refusal() }
            bus.subscribe(to: RespondEvent.self) { keys.add($0.key) }
            var instrumentation = Instrumentation()
            instrumentation.eventBus = bus
            instrumentation.errorHandler = errors
            try await harness.relayService(instrumentation).run()
            #expect(keys.all.count == 3)
            #expect(errors.all == Array(repeating: ErrorContext("tell a subscriber of dionysus.respond"), count: 3))
            #expect(try await harness.pending() == [])
        }
    }
}

extension JSON {
    fileprivate var firstElement: JSON? {
        guard case .array(let elements) = self else { return nil }
        return elements.first
    }
}
