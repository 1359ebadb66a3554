import Dionysus
import DionysusProducer
import Synchronization
import TestSupport
import Testing

@testable import Rentals

/// Code of the application around the publishing of batches.
@Suite struct ProducerMiddlewareTests {
    @Test(
        "middleware wraps each batch, the first declared outermost, and sees what is sent and what is left",
        arguments: TestDatabaseKind.available
    )
    func order(_ kind: TestDatabaseKind) async throws {
        let log = Collected<String>()
        let layers = ["outer", "inner"]
            .map { name in
                Layer { batch, next in
                    log.add("\(name) before \(batch.messages.map(\.topic)) of lane \(batch.lane)")
                    let left = try await next()
                    log.add("\(name) after, \(left) left")
                }
            }
        try await Self.run(kind, layers) { harness in
            try await harness.write(CaptureTests.rental)
            try await harness.relay()
            #expect(
                log.all == [
                    "outer before [\"v3_rentals\"] of lane 0", "inner before [\"v3_rentals\"] of lane 0",
                    "inner after, 0 left", "outer after, 0 left",
                ]
            )
            #expect(try await harness.events(in: "v3_rentals") == ["rental_created Rental:1"])
        }
    }

    @Test(
        "what calls for the work again sends what is left, and the rows have been published at their first attempt",
        arguments: TestDatabaseKind.available
    )
    func retries(_ kind: TestDatabaseKind) async throws {
        let left = Collected<Int>()
        let patient = Layer { _, next in
            for _ in 1...3 {
                left.add(try await next())
                if left.all.last == 0 { return }
            }
        }
        try await Self.run(kind, [patient]) { harness in
            var harness = harness
            try await harness.write(
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name, price) VALUES (2, 1, 'Hut', 50), (3, 1, 'Yurt', 20)"
            )
            // The second and the fourth message.
            let count = Mutex(0)
            harness.broker = RefusingBroker(base: harness.broker) { _ in
                let place = count.withLock { count in
                    count += 1
                    return count
                }
                return [2, 4].contains(place)
                    ? DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true) : nil
            }
            try await harness.relay()
            #expect(left.all == [1, 1, 0])
            let events = try await harness.events(in: "v3_rentals")
            #expect(
                events.sorted() == ["rental_created Rental:1", "rental_created Rental:2", "rental_created Rental:3"]
            )
            #expect(try await harness.value("SELECT max(attempts) FROM dionysus_outboxes") == .integer(0))
        }
    }

    @Test(
        "a failed message of a record of which a later one has arrived is not sent again",
        arguments: TestDatabaseKind.available
    )
    func overtaken(_ kind: TestDatabaseKind) async throws {
        let twice = Layer { _, next in
            _ = try await next()
            _ = try await next()
        }
        try await Self.run(kind, [twice]) { harness in
            var harness = harness
            try await harness.write(CaptureTests.rental, "UPDATE rentals SET name = 'New' WHERE id = 1")
            let first = Countdown(1)
            harness.broker = RefusingBroker(base: harness.broker) { _ in
                first.next() ? DionysusError(.messageRejected, "refused") : nil
            }
            try await harness.relay()
            try await harness.postponeRetries()
            #expect(try await harness.events(in: "v3_rentals") == ["rental_updated Rental:1"])
        }
    }

    @Test(
        "an error before the work has the batch tried again; one after it is reported and changes nothing",
        arguments: TestDatabaseKind.available
    )
    func errors(_ kind: TestDatabaseKind) async throws {
        struct Refusal: Error {}
        let early = Countdown(2)
        let careless = Layer { _, next in
            if early.next() { throw Refusal() }
            _ = try await next()
            throw Refusal()
        }
        try await Self.run(kind, [careless]) { harness in
            try await harness.write(CaptureTests.rental)
            let told = Collected<ErrorContext>()
            var instrumentation = Instrumentation()
            instrumentation.errorHandler = told
            try await harness.relayService(instrumentation).run()
            let activities = ["publish a batch", "publish a batch"]
            #expect(told.all.map(\.activity) == activities + ["end the middleware around a batch, which has been sent"])
            #expect(try await harness.events(in: "v3_rentals") == ["rental_created Rental:1"])
            #expect(try await harness.value("SELECT max(attempts) FROM dionysus_outboxes") == .integer(0))
        }
    }

    @Test("one that never calls for the work publishes nothing, and is reported", arguments: TestDatabaseKind.available)
    func forgotten(_ kind: TestDatabaseKind) async throws {
        let forgets = Countdown(1)
        let forgetful = Layer { _, next in if !forgets.next() { _ = try await next() } }
        try await Self.run(kind, [forgetful]) { harness in
            try await harness.write(CaptureTests.rental)
            let errors = Collected<OutboxProducer.ErrorOccurred>()
            var instrumentation = Instrumentation()
            instrumentation.errorHandler = Collected<ErrorContext>()
            instrumentation.monitor.subscribe(to: OutboxProducer.ErrorOccurred.self, errors.add)
            try await harness.relayService(instrumentation).run()
            #expect(errors.all.map { "\($0.error)".contains("call next at least once") } == [true])
            #expect(try await harness.events(in: "v3_rentals") == ["rental_created Rental:1"])
        }
    }

    private static func run(
        _ kind: TestDatabaseKind,
        _ middleware: [any ProducerMiddleware],
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        struct Wrapped: Producer {
            let middleware: [any ProducerMiddleware]
            var namespaces: [Namespace] { BookingSync().namespaces }
        }
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(kind, settings: settings, producer: Wrapped(middleware: middleware)) { harness in
            try await harness.write(CaptureTests.account, "DELETE FROM dionysus_outboxes")
            try await body(harness)
        }
    }
}

private struct Layer: ProducerMiddleware {
    let work: @Sendable (PublishingBatch, () async throws -> Int) async throws -> Void

    func publish(_ batch: PublishingBatch, _ next: () async throws -> Int) async throws { try await work(batch, next) }
}
