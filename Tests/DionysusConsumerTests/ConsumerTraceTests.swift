import Dionysus
import DionysusConsumer
import InMemoryTracing
import TestSupport
import Testing
import Tracing

/// Traces: from the messages' headers into the consumer's spans.
@Suite struct ConsumerTraceTests {
    private static let (trace, writer) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")

    private static func instrumentation(_ tracer: W3CTracer) -> Instrumentation {
        var instrumentation = Instrumentation()
        instrumentation.tracer = tracer
        instrumentation.errorHandler = Collected<ErrorContext>()
        return instrumentation
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a batch has a span that is linked to the writers', and what the application does is within it`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let parents = ["00-\(Self.trace)-\(Self.writer)-01", "00-\(Self.trace)-\(Self.writer)-01", "nonsense", nil]
            let messages = parents.enumerated()
                .map { index, parent in
                    var message = WireMessage.rental(.created, index, name: "rental \(index)").outgoing
                    message.headers += parent.map { [MessageHeader("traceparent", Array($0.utf8))] } ?? []
                    return message
                }
            let producer = try await replica.broker.makeProducer(ProducerOptions(clientID: "test"))
            for result in await producer.send(messages) { _ = try result.get() }
            let tracer = W3CTracer()
            let contexts = Collected<String?>()
            var mirror = Mirror(onConsume: { _ in contexts.add(ServiceContext.current?.inMemorySpanContext?.spanID) })
            mirror.rentals = mirror.rentals.handling { _, _ in
                contexts.add(ServiceContext.current?.inMemorySpanContext?.spanID)
                return .acknowledged
            }
            try await replica.service(Self.instrumentation(tracer), mirror).run()

            let span = try #require(tracer.memory.finishedSpans.first)
            #expect(tracer.memory.finishedSpans.count == 1)
            #expect(span.kind == .consumer)
            #expect(span.operationName == "process v3_rentals")
            for (name, value) in [
                ("messaging.system", "dionysus"), ("messaging.operation.name", "process"),
                ("messaging.operation.type", "process"), ("messaging.destination.name", "v3_rentals"),
                ("messaging.destination.partition.id", "0"), ("messaging.client.id", "test"),
                ("messaging.consumer.group.name", "dionysus_consumer_group_for_test"),
            ] {
                #expect(span.attributes.get(name) == .string(value), "\(name)")
            }
            #expect(span.attributes.get("messaging.batch.message_count")?.toSpanAttribute() == .int64(4))
            #expect(span.attributes.get("error.type") == nil)
            #expect(span.status?.code != .error)
            #expect(span.links.map { $0.context.inMemorySpanContext?.spanID } == [Self.writer])
            #expect(span.context.inMemorySpanContext?.traceID != Self.trace)
            let own = span.context.inMemorySpanContext?.spanID
            #expect(own != nil && contexts.all == Array(repeating: own, count: 8))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the span of a batch with a message that fails says so`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                .rental(.created, 1, name: "hut"),
                WireMessage("v3_rentals", value: "nonsense"),
                .rental(.created, 2, name: "hut")
            )
            let tracer = W3CTracer()
            try await replica.service(Self.instrumentation(tracer)).run()
            let span = try #require(tracer.memory.finishedSpans.first)
            #expect(tracer.memory.finishedSpans.count == 1)
            #expect(span.attributes.get("error.type") == .string("malformed"))
            #expect(span.status?.code == .error)
        }
    }
}
