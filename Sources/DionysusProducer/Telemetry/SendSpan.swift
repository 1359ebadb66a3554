import Dionysus
import Tracing

/// The span of sending a batch.
///
/// A message is created by the transaction that changes a record, perhaps in another process, and that is the context its
/// headers carry: the row's. So this span does not stand between the writer's and the consumer's. It is linked to the
/// writers' instead, as OpenTelemetry has it for batches, and is itself the context only of messages whose writers had
/// none.
struct SendSpan: Sendable {
    private let span: any Span
    /// What messages carry whose rows have no context of their own.
    let traceContext: TraceContext?

    /// Exporters drop more links than this.
    private static let maximumLinks = 128

    /// Starts the span.
    init(_ rows: [OutboxRow], _ tracer: any Tracer, system: String, clientID: String) {
        let topic = rows.first.map(\.topic).flatMap { first in rows.allSatisfy { $0.topic == first } ? first : nil }
        let span: any Span = tracer.startSpan(
            topic.map { "send \($0)" } ?? "send",
            context: .current ?? .topLevel,
            ofKind: .producer
        )
        span.attributes[TelemetryName.messagingSystem] = system
        span.attributes[TelemetryName.operationName] = "send"
        span.attributes[TelemetryName.operationType] = "send"
        span.attributes[TelemetryName.clientID] = clientID
        if let topic { span.attributes[TelemetryName.destination] = topic }
        var linked: Set<String> = []
        for context in rows.lazy.compactMap(\.traceContext) where linked.insert(context.traceparent).inserted {
            span.addLink(SpanLink(context: context.serviceContext(instrument: tracer), attributes: [:]))
            if linked.count == Self.maximumLinks { break }
        }
        traceContext = TraceContext.current(span.context, instrument: tracer)
        self.span = span
    }

    /// Ends the span.
    func end(_ results: [Result<Acknowledgement, DionysusError>]) {
        span.attributes[TelemetryName.batchMessageCount] = results.count
        for case .failure(let error) in results {
            span.attributes[TelemetryName.errorType] = error.code.description
            span.setStatus(SpanStatus(code: .error))
            break
        }
        span.end()
    }
}
