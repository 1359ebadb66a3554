import Dionysus
import DionysusProducer
import InMemoryTracing
import TestSupport
import Testing
import Tracing

/// Traces: from the writing transaction through the outbox into the messages' headers.
@Suite struct TraceTests {
    static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test(
        "a row's trace context becomes the message's headers, without a tracer",
        arguments: TestDatabaseKind.available
    )
    func headers(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                CaptureTests.booking,
                "UPDATE dionysus_outboxes SET traceparent = \(Self.parent), tracestate = 'vendor=1' WHERE topic = 'v3_rentals'",
                "UPDATE dionysus_outboxes SET traceparent = '00-nonsense' WHERE topic = 'v3_bookings'"
            )
            try await harness.relay()
            let rental = try #require(await harness.messages(in: "v3_rentals").first)
            #expect(rental.headers["traceparent"] == Self.parent)
            #expect(rental.headers["tracestate"] == "vendor=1")
            for topic in ["v3_accounts", "v3_bookings"] {
                let other = try #require(await harness.messages(in: topic).first)
                #expect(other.headers["traceparent"] == nil && other.headers["tracestate"] == nil)
            }
        }
    }

    @Test(
        "a batch has a producer span that is linked to the writers', and stands in for those who had none",
        arguments: TestDatabaseKind.available
    )
    func span(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.clientID = "bookings"
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                CaptureTests.account,
                CaptureTests.rental,
                "DELETE FROM dionysus_outboxes",
                "UPDATE rentals SET name = 'a' WHERE id = 1",
                "UPDATE dionysus_outboxes SET traceparent = \(Self.parent)",
                "UPDATE rentals SET name = 'b' WHERE id = 1"
            )
            let tracer = W3CTracer()
            var instrumentation = Instrumentation()
            instrumentation.tracer = tracer
            try await harness.relayService(instrumentation).run()

            let span = try #require(tracer.memory.finishedSpans.first)
            #expect(tracer.memory.finishedSpans.count == 1)
            #expect(span.kind == .producer)
            #expect(span.operationName == "send v3_rentals")
            #expect(span.attributes.get("messaging.system") == .string("dionysus"))
            #expect(span.attributes.get("messaging.operation.name") == .string("send"))
            #expect(span.attributes.get("messaging.destination.name") == .string("v3_rentals"))
            #expect(span.attributes.get("messaging.client.id") == .string("bookings"))
            #expect(span.attributes.get("messaging.batch.message_count")?.toSpanAttribute() == .int64(2))
            #expect(span.attributes.get("error.type") == nil)
            #expect(span.links.map { $0.context.inMemorySpanContext?.spanID } == ["00f067aa0ba902b7"])
            let own = try #require(TraceContext.current(span.context, instrument: tracer))
            let headers = try await harness.messages(in: "v3_rentals").map { $0.headers["traceparent"] }
            #expect(headers == [Self.parent, own.traceparent])
        }
    }

    @Test("a span of a batch that fails says so")
    func failure() async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 1
        try await ProducerHarness.run(.sqlite, settings: settings) { harness in
            try await harness.write(CaptureTests.account)
            let tracer = W3CTracer()
            var instrumentation = Instrumentation()
            instrumentation.tracer = tracer
            instrumentation.errorHandler = Collected<ErrorContext>()
            let broker = RefusingBroker.rejecting("Account:1", harness.broker)
            try await harness.relayService(instrumentation, broker: broker).run()
            let span = try #require(tracer.memory.finishedSpans.first)
            #expect(span.attributes.get("error.type") == .string("message_rejected"))
            #expect(span.status?.code == .error)
        }
    }

    @Test(
        "the trace of the task that writes in a traced transaction goes on in the messages",
        arguments: TestDatabaseKind.available
    )
    func transaction(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let write: @Sendable (SQL) async throws -> Void = { statement in
                _ = try await harness.database.tracedTransaction { try $0.run(statement) }
            }
            try await write(CaptureTests.account)
            let tracer = W3CTracer()
            let span = tracer.startSpan("write", context: .topLevel)
            try await withTracer(tracer) {
                try await ServiceContext.$current.withValue(span.context) { try await write(CaptureTests.rental) }
            }
            span.end()
            let expected = try #require(TraceContext.current(span.context, instrument: tracer))
            try await harness.relay()
            #expect(try await harness.messages(in: "v3_accounts").map { $0.headers["traceparent"] } == [nil])
            #expect(
                try await harness.messages(in: "v3_rentals").map { $0.headers["traceparent"] } == [expected.traceparent]
            )
        }
    }

    @Test(
        "text that is no W3C trace context is none",
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", parent + "0", parent.uppercased(),
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ]
    )
    func malformed(_ text: String) {
        #expect(TraceContext(traceparent: text) == nil)
        #expect(TraceContext(traceparent: Self.parent)?.traceparent == Self.parent)
    }
}

extension TraceTests {
    @Test(
        "a trace that is no trace, or that the broker does not take, holds no record up",
        arguments: TestDatabaseKind.available
    )
    func hostile(_ kind: TestDatabaseKind) async throws {
        let states = ["a=\u{1B}[31m", "a=1\r\nx-evil: 1", String(repeating: "a", count: 513), "é=1", ""]
        try await ProducerHarness.run(kind) { harness in
            for (number, state) in states.enumerated() {
                try await harness.write("INSERT INTO accounts (id, name) VALUES (\(number + 1), 'x')")
                try await harness.write(
                    """
                    UPDATE dionysus_outboxes SET traceparent = \(Self.parent), tracestate = \(state)
                    WHERE resource_id = \("\(number + 1)")
                    """
                )
            }
            try await harness.write(
                "INSERT INTO accounts (id, name) VALUES (10, 'x'), (11, 'x')",
                """
                UPDATE dionysus_outboxes SET traceparent = \(String(repeating: "0", count: 2_000_000)), tracestate = 'a=1'
                WHERE resource_id = '10'
                """,
                "UPDATE dionysus_outboxes SET traceparent = \(Self.parent), tracestate = 'a=1' WHERE resource_id = '11'"
            )
            var refusing = harness
            refusing.broker = RefusingBroker(base: harness.broker) { message in
                guard message.headers.contains(where: { $0.name == "tracestate" }) else { return nil }
                return DionysusError(.messageRejected, "the message is too large")
            }
            try await refusing.relay()
            let messages = try await harness.messages(in: "v3_accounts")
            #expect(messages.count == 7)
            #expect(messages.allSatisfy { $0.headers["tracestate"] == nil })
            let withParent = messages.filter { $0.headers["traceparent"] == Self.parent }.map(\.key).sorted()
            #expect(withParent == (1...5).map { "Account:\($0)" })
            #expect(try await harness.pending().isEmpty)
        }
    }
}
