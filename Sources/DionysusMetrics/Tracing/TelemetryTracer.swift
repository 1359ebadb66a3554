package import Tracing

/// Makes spans, and carries their places in traces from one process to another as W3C Trace Context.
///
/// It is made by ``Telemetry``, which sends what it records.
package final class TelemetryTracer: Tracer {
    private static let parentField = "traceparent"
    private static let stateField = "tracestate"

    private let sampler: Sampler
    private let limits: SpanLimits
    private let finished: @Sendable (FinishedSpan) -> Void

    init(_ sampler: Sampler, limits: SpanLimits, finished: @escaping @Sendable (FinishedSpan) -> Void) {
        self.sampler = sampler
        self.limits = limits
        self.finished = finished
    }

    package func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> TelemetrySpan {
        var context = context()
        let parent = context.spanContext
        let trace = parent?.trace ?? .random()
        let place = SpanContext(
            trace: trace,
            span: .random(in: 1...UInt64.max),
            flags: sampler.samples(trace, parent: parent) ? 1 : 0,
            state: parent?.state,
            isRemote: false
        )
        context.spanContext = place
        return TelemetrySpan(
            operationName,
            context: context,
            place: place,
            parent: parent,
            kind: kind,
            start: place.isSampled ? instant().nanosecondsSinceEpoch : 0,
            limits: limits,
            finished: finished
        )
    }

    /// Does nothing: what has ended is sent soon, and the rest when ``Telemetry`` ends.
    package func forceFlush() {}

    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout ServiceContext,
        using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: Self.parentField, from: carrier) else { return }
        let state = extractor.extract(key: Self.stateField, from: carrier)
        if let place = SpanContext(traceparent: parent, tracestate: state) { context.spanContext = place }
    }

    package func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let place = context.spanContext else { return }
        injector.inject(place.traceparent, forKey: Self.parentField, into: &carrier)
        if let state = place.state { injector.inject(state, forKey: Self.stateField, into: &carrier) }
    }
}

extension SpanContext.Pair {
    static func random() -> SpanContext.Pair {
        SpanContext.Pair(high: .random(in: 0...UInt64.max), low: .random(in: 1...UInt64.max))
    }
}
