public import InMemoryTracing
import Synchronization
public import Tracing

/// A tracer that records its spans, and propagates W3C Trace Context.
public struct W3CTracer: Tracer {
    public let memory: InMemoryTracer

    public init() {
        let last = LastID()
        memory = InMemoryTracer(
            idGenerator: .init(nextTraceID: { last.next(digits: 32) }, nextSpanID: { last.next(digits: 16) })
        )
    }

    public func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> InMemorySpan {
        memory.startSpan(
            operationName,
            context: context(),
            ofKind: kind,
            at: instant(),
            function: function,
            file: fileID,
            line: line
        )
    }

    public func forceFlush() { memory.forceFlush() }

    public func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Carrier == Inject.Carrier {
        guard let span = context.inMemorySpanContext else { return }
        injector.inject("00-\(span.traceID)-\(span.spanID)-01", forKey: "traceparent", into: &carrier)
    }

    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout ServiceContext,
        using extractor: Extract
    ) where Carrier == Extract.Carrier {
        guard let fields = extractor.extract(key: "traceparent", from: carrier)?.split(separator: "-"),
            fields.count == 4
        else { return }
        context.inMemorySpanContext = InMemorySpanContext(
            traceID: String(fields[1]),
            spanID: String(fields[2]),
            parentSpanID: nil
        )
    }

    private final class LastID: Sendable {
        private let value = Mutex<Int>(0)

        func next(digits: Int) -> String {
            let text = value.withLock { value in
                value += 1
                return String(value, radix: 16)
            }
            return String(repeating: "0", count: digits - text.count) + text
        }
    }
}
