import CoreMetrics
import DionysusMetrics
import Logging
import Testing
import Tracing

/// What carries a trace's context between processes.
private struct Fields: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}

struct TracerTests {
    private let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private func tracer(_ sampler: Sampler = .parentBased(.alwaysOn)) throws -> any Tracer {
        try telemetry(sampler).tracer.unwrapped()
    }

    private func telemetry(_ sampler: Sampler = .parentBased(.alwaysOn)) throws -> Telemetry {
        var settings = TelemetrySettings(serviceName: "test")
        settings.traces = OTLPEndpoint(url: "http://127.0.0.1:1/v1/traces")
        settings.sampler = sampler
        return try Telemetry(settings)
    }

    private func context(_ fields: [String: String], _ tracer: any Tracer) -> ServiceContext {
        var context = ServiceContext.topLevel
        tracer.extract(fields, into: &context, using: Fields())
        return context
    }

    @Test func aSpanContinuesTheTraceOfAnotherProcess() throws {
        let tracer = try tracer()
        let span = tracer.startSpan("work", context: context(["traceparent": parent, "tracestate": "a=1"], tracer))
        var fields: [String: String] = [:]
        tracer.inject(span.context, into: &fields, using: Fields())
        let place = try #require(span.context.spanContext)
        #expect(place.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(place.spanID != "00f067aa0ba902b7" && place.spanID.count == 16)
        #expect(
            fields == ["traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-\(place.spanID)-01", "tracestate": "a=1"]
        )
    }

    @Test func aSpanWithoutAParentBeginsATrace() throws {
        let tracer = try tracer()
        let places = (0..<100).compactMap { _ in tracer.startSpan("work", context: .topLevel).context.spanContext }
        #expect(Set(places.map(\.traceID)).count == 100)
        #expect(places.allSatisfy { $0.isSampled && $0.traceID.count == 32 })
    }

    @Test(
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "é0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01",
        ]
    )
    func whatIsNoContextIsNone(_ text: String) throws {
        #expect(context(["traceparent": text], try tracer()).spanContext == nil)
    }

    @Test func laterVersionsMayBeLonger() throws {
        let text = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"
        #expect(context(["traceparent": text], try tracer()).spanContext?.spanID == "00f067aa0ba902b7")
    }

    @Test func whoBeganTheTraceDecidesWhetherItIsRecorded() throws {
        let tracer = try tracer(.parentBased(.alwaysOff))
        let sampled = context(["traceparent": parent], tracer)
        let unsampled = context(["traceparent": parent.dropLast() + "0"], tracer)
        #expect(tracer.startSpan("a", context: sampled).isRecording)
        #expect(!tracer.startSpan("b", context: unsampled).isRecording)
        #expect(!tracer.startSpan("c", context: .topLevel).isRecording)
        #expect(try self.tracer(.alwaysOn).startSpan("d", context: unsampled).isRecording)
    }

    @Test func aPartOfTheTracesIsRecorded() throws {
        let tracer = try tracer(.ratio(0.25))
        let recorded = (0..<4_000).count { _ in tracer.startSpan("work", context: .topLevel).isRecording }
        // Six standard deviations.
        #expect(abs(recorded - 1_000) < 165)
        #expect(
            (0..<100)
                .allSatisfy { _ in (try? self.tracer(.ratio(0)).startSpan("x", context: .topLevel).isRecording) == false
                }
        )
    }

    @Test func whatIsNotRecordedKeepsNothing() throws {
        let span = try tracer(.alwaysOff).startSpan("work", context: .topLevel)
        span.attributes["a"] = "b"
        span.addEvent("c")
        span.operationName = "other"
        #expect(span.attributes.isEmpty)
        #expect(span.operationName == "work")
    }

    @Test func aSpanThatHasEndedDoesNotChange() throws {
        let span = try tracer().startSpan("work", context: .topLevel)
        span.end()
        span.operationName = "other"
        #expect(!span.isRecording && span.operationName == "work")
    }

    @Test func bucketsKeepTheTraceOfAValue() throws {
        let telemetry = try telemetry()
        let span = try telemetry.tracer.unwrapped().startSpan("work", context: .topLevel)
        let timer = Timer(label: "work", factory: telemetry.metrics)
        timer.recordNanoseconds(1)
        ServiceContext.withValue(span.context) { timer.recordNanoseconds(3_000_000) }
        let place = try #require(span.context.spanContext)
        let open = telemetry.metrics.exposition(accepting: "application/openmetrics-text").body
        let line = try #require(open.split(separator: "\n").first { $0.hasPrefix(#"work_seconds_bucket{le="0.005"}"#) })
        #expect(line.contains(##" 2 # {trace_id="\##(place.traceID)",span_id="\##(place.spanID)"} 0.003 "##))
        #expect(open.split(separator: "\n").count { $0.contains("trace_id") } == 1)
        #expect(!telemetry.metrics.exposition().body.contains("trace_id"))
    }
}

extension Optional {
    func unwrapped() throws -> Wrapped { try #require(self) }
}
