import Dionysus
import Synchronization
package import Tracing

/// A span of a ``TelemetryTracer``.
///
/// One that isn't sampled passes its place in the trace on, and records nothing.
package final class TelemetrySpan: Span {
    private struct State {
        var name: String
        var attributes = SpanAttributes()
        var events: [SpanEvent] = []
        var links: [SpanLink] = []
        var droppedEvents = 0
        var droppedLinks = 0
        var status: SpanStatus?
        var hasEnded = false
    }

    package let context: ServiceContext
    private let place: SpanContext
    private let parent: SpanContext?
    private let kind: SpanKind
    private let start: UInt64
    private let limits: SpanLimits
    private let finished: @Sendable (FinishedSpan) -> Void
    private let state: Mutex<State>

    init(
        _ name: String,
        context: ServiceContext,
        place: SpanContext,
        parent: SpanContext?,
        kind: SpanKind,
        start: UInt64,
        limits: SpanLimits,
        finished: @escaping @Sendable (FinishedSpan) -> Void
    ) {
        self.context = context
        self.place = place
        self.parent = parent
        self.kind = kind
        self.start = start
        self.limits = limits
        self.finished = finished
        state = Mutex(State(name: name))
    }

    package var isRecording: Bool { place.isSampled && !state.withLock { $0.hasEnded } }

    package var operationName: String {
        get { state.withLock { $0.name } }
        set { change { $0.name = newValue } }
    }

    package var attributes: SpanAttributes {
        get { state.withLock { $0.attributes } }
        set { change { $0.attributes = newValue } }
    }

    package func setStatus(_ status: SpanStatus) { change { $0.status = status } }

    package func addEvent(_ event: SpanEvent) {
        change { state in
            if state.events.count < limits.events { state.events.append(event) } else { state.droppedEvents += 1 }
        }
    }

    /// Records an error by its type and, if it is one of the library's, its text: of others it may quote payloads.
    package func recordError<Instant: TracerInstant>(
        _ error: any Error,
        attributes: SpanAttributes,
        at instant: @autoclosure () -> Instant
    ) {
        guard place.isSampled else { return }
        var attributes = attributes
        attributes["exception.type"] = "\(type(of: error))"
        if let error = error as? DionysusError { attributes["exception.message"] = error.description }
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    package func addLink(_ link: SpanLink) {
        change { state in
            if state.links.count < limits.links { state.links.append(link) } else { state.droppedLinks += 1 }
        }
    }

    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard place.isSampled else { return }
        let ended: State? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            return state
        }
        if let ended { finished(span(ended, end: instant().nanosecondsSinceEpoch)) }
    }

    private func change(_ body: (inout State) -> Void) {
        guard place.isSampled else { return }
        state.withLock { state in if !state.hasEnded { body(&state) } }
    }

    private func span(_ state: State, end: UInt64) -> FinishedSpan {
        let nested = { [limits] (attributes: SpanAttributes) in
            SpanValues(attributes, count: limits.nestedAttributes, length: limits.valueLength)
        }
        return FinishedSpan(
            context: place,
            parent: parent,
            name: state.name,
            kind: kind,
            start: start,
            end: max(start, end),
            attributes: SpanValues(state.attributes, count: limits.attributes, length: limits.valueLength),
            events: state.events.map {
                FinishedSpan.Event(name: $0.name, time: $0.nanosecondsSinceEpoch, attributes: nested($0.attributes))
            },
            droppedEvents: state.droppedEvents,
            links: state.links.compactMap { link in
                link.context.spanContext.map { FinishedSpan.Link(context: $0, attributes: nested(link.attributes)) }
            },
            droppedLinks: state.droppedLinks,
            status: state.status
        )
    }
}
