import Dionysus
import Tracing

/// The span of processing a batch.
///
/// A message carries the context of the transaction that changed its record. A batch holds messages of many traces and
/// can't be a child of each, so its span is linked to them, as OpenTelemetry has it for batches. What handlers,
/// reactions and subscribers do is its child.
struct ProcessSpan: Sendable {
    private let span: any Span

    /// More links than this help no one, and exporters drop them.
    private static let maximumLinks = 128

    /// Starts the span.
    init(_ batch: MessageBatch, _ tracer: any Tracer, system: String, settings: ConsumerSettings) {
        let span: any Span = tracer.startSpan(
            "process \(batch.partition.topic)",
            context: .current ?? .topLevel,
            ofKind: .consumer
        )
        span.attributes[TelemetryName.messagingSystem] = system
        span.attributes[TelemetryName.operationName] = "process"
        span.attributes[TelemetryName.operationType] = "process"
        span.attributes[TelemetryName.destination] = batch.partition.topic
        span.attributes[TelemetryName.destinationPartition] = String(batch.partition.partition)
        span.attributes[TelemetryName.consumerGroup] = settings.effectiveGroupID
        span.attributes[TelemetryName.clientID] = settings.clientID
        span.attributes[TelemetryName.batchMessageCount] = batch.messages.count
        var linked: Set<String> = []
        for context in batch.messages.lazy.compactMap(\.traceContext) where linked.insert(context.traceparent).inserted
        {
            span.addLink(SpanLink(context: context.serviceContext(instrument: tracer), attributes: [:]))
            if linked.count == Self.maximumLinks { break }
        }
        self.span = span
    }

    /// What is done within the span.
    var context: ServiceContext { span.context }

    /// Ends the span.
    /// - Parameter error: What went wrong first, if something did.
    func end(_ error: (any Error)?) {
        if let error {
            span.attributes[TelemetryName.errorType] = error.type
            span.setStatus(SpanStatus(code: .error))
        }
        span.end()
    }
}

extension ConsumedMessage {
    /// The trace context that its headers carry, if they carry one.
    var traceContext: TraceContext? {
        for prefix in ["", CloudEvent.headerPrefix] {
            guard let parent = text(ofHeader: prefix + HeaderName.traceParent) else { continue }
            return TraceContext(traceparent: parent, tracestate: text(ofHeader: prefix + HeaderName.traceState))
        }
        return nil
    }

    private func text(ofHeader name: String) -> String? {
        headers.last { $0.name == name }.flatMap { String(validating: $0.value, as: UTF8.self) }
    }
}
