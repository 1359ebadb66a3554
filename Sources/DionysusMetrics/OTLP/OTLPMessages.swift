import Logging
import Tracing

/// Telemetry as OTLP has it: opentelemetry-proto 1, whose numbers of fields stand here.
enum OTLPMessages {
    private static let scope = "dionysus"

    // MARK: Metrics

    /// An `ExportMetricsServiceRequest`.
    static func metrics(_ metrics: [MetricSnapshot], _ resource: Resource, at time: UInt64) -> [UInt8] {
        request(resource) { scope in
            for metric in metrics { scope.message(2) { write(metric, at: time, to: &$0) } }
        }
    }

    private static func write(_ metric: MetricSnapshot, at time: UInt64, to writer: inout ProtobufWriter) {
        writer.text(1, metric.label)
        writer.text(2, metric.description.help)
        writer.text(3, metric.description.unit)
        let cumulative = 2
        switch metric.kind {
        case .gauge:
            writer.message(5) { gauge in
                for point in metric.points { gauge.message(1) { write(point, at: time, to: &$0) } }
            }
        case .counter:
            writer.message(7) { sum in
                for point in metric.points { sum.message(1) { write(point, at: time, to: &$0) } }
                sum.number(2, cumulative)
                sum.number(3, 1)
            }
        case .histogram:
            writer.message(9) { histogram in
                for point in metric.points { histogram.message(1) { write(point, at: time, to: &$0) } }
                histogram.number(2, cumulative)
            }
        }
    }

    private static func write(_ point: MetricPoint, at time: UInt64, to writer: inout ProtobufWriter) {
        writer.fixed(2, point.start)
        writer.fixed(3, time)
        switch point.value {
        case .integer(let value): writer.fixed(6, UInt64(bitPattern: value))
        case .double(let value): writer.double(4, value)
        case .histogram(let value):
            writer.fixed(4, UInt64(value.count))
            writer.double(5, value.sum)
            writer.packed(6, value.counts.map { UInt64($0) })
            writer.packed(7, value.bounds.map(\.bitPattern))
            for case let exemplar? in value.exemplars { writer.message(8) { write(exemplar, to: &$0) } }
            return attributes(9, point.attributes.pairs, to: &writer)
        }
        attributes(7, point.attributes.pairs, to: &writer)
    }

    private static func write(_ exemplar: Exemplar, to writer: inout ProtobufWriter) {
        writer.fixed(2, exemplar.time)
        writer.double(3, exemplar.value)
        writer.big(4, exemplar.context.span)
        writer.big(5, exemplar.context.trace.high, exemplar.context.trace.low)
    }

    // MARK: Traces

    /// An `ExportTraceServiceRequest`.
    static func traces(_ spans: [FinishedSpan], _ resource: Resource) -> [UInt8] {
        request(resource) { scope in
            for span in spans { scope.message(2) { write(span, to: &$0) } }
        }
    }

    private static func write(_ span: FinishedSpan, to writer: inout ProtobufWriter) {
        writer.big(1, span.context.trace.high, span.context.trace.low)
        writer.big(2, span.context.span)
        writer.text(3, span.context.state ?? "")
        if let parent = span.parent { writer.big(4, parent.span) }
        writer.text(5, span.name)
        writer.number(6, number(of: span.kind))
        writer.fixed(7, span.start)
        writer.fixed(8, span.end)
        attributes(9, span.attributes, to: &writer)
        writer.number(10, span.attributes.dropped)
        for event in span.events {
            writer.message(11) { writer in
                writer.fixed(1, event.time)
                writer.text(2, event.name)
                attributes(3, event.attributes, to: &writer)
                writer.number(4, event.attributes.dropped)
            }
        }
        writer.number(12, span.droppedEvents)
        for link in span.links {
            writer.message(13) { writer in
                writer.big(1, link.context.trace.high, link.context.trace.low)
                writer.big(2, link.context.span)
                writer.text(3, link.context.state ?? "")
                attributes(4, link.attributes, to: &writer)
                writer.number(5, link.attributes.dropped)
                writer.fixed32(6, flags(link.context, isRemote: link.context.isRemote))
            }
        }
        writer.number(14, span.droppedLinks)
        if let status = span.status {
            writer.message(15) { writer in
                writer.text(2, status.message ?? "")
                writer.number(3, status.code == .ok ? 1 : 2)
            }
        }
        writer.fixed32(16, flags(span.context, isRemote: span.parent?.isRemote ?? false))
    }

    /// Besides W3C's flags those that say whether it is known, and true, that a place came from elsewhere.
    private static func flags(_ context: SpanContext, isRemote: Bool) -> UInt32 {
        UInt32(context.flags) | 0x100 | (isRemote ? 0x200 : 0)
    }

    private static func number(of kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    // MARK: Logs

    /// An `ExportLogsServiceRequest`.
    static func logs(_ logs: [FinishedLog], _ resource: Resource) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { writer in
            write(resource, to: &writer)
            for (label, logs) in Dictionary(grouping: logs, by: \.label).sorted(by: { $0.key < $1.key }) {
                writer.message(2) { writer in
                    writer.message(1) { $0.text(1, label) }
                    for log in logs { writer.message(2) { write(log, to: &$0) } }
                }
            }
        }
        return writer.bytes
    }

    private static func write(_ log: FinishedLog, to writer: inout ProtobufWriter) {
        writer.fixed(1, log.time)
        writer.number(2, severity(of: log.level))
        writer.text(3, log.level.rawValue.uppercased())
        writer.message(5) { $0.present(1, log.message) }
        for (name, value) in log.attributes { attribute(6, name, to: &writer) { $0.present(1, value) } }
        if let context = log.context {
            writer.fixed32(8, UInt32(context.flags))
            writer.big(9, context.trace.high, context.trace.low)
            writer.big(10, context.span)
        }
        writer.fixed(11, log.time)
    }

    private static func severity(of level: Logger.Level) -> Int {
        switch level {
        case .trace: 1
        case .debug: 5
        case .info: 9
        case .notice: 10
        case .warning: 13
        case .error: 17
        case .critical: 21
        }
    }

    // MARK: What they share

    /// A request about one scope of one resource.
    private static func request(_ resource: Resource, _ write: (inout ProtobufWriter) -> Void) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { writer in
            Self.write(resource, to: &writer)
            writer.message(2) { writer in
                writer.message(1) { $0.text(1, scope) }
                write(&writer)
            }
        }
        return writer.bytes
    }

    private static func write(_ resource: Resource, to writer: inout ProtobufWriter) {
        writer.message(1) { attributes(1, resource.attributes, to: &$0) }
    }

    private static func attributes(_ field: UInt64, _ pairs: [Attributes.Pair], to writer: inout ProtobufWriter) {
        for pair in pairs { attribute(field, pair.name, to: &writer) { $0.present(1, pair.value) } }
    }

    private static func attributes(_ field: UInt64, _ values: SpanValues, to writer: inout ProtobufWriter) {
        for (name, value) in values.values { attribute(field, name, to: &writer) { write(value, to: &$0) } }
    }

    private static func attribute(
        _ field: UInt64,
        _ name: String,
        to writer: inout ProtobufWriter,
        _ value: (inout ProtobufWriter) -> Void
    ) {
        writer.message(field) { writer in
            writer.text(1, name)
            writer.message(2, value)
        }
    }

    /// The content of an `AnyValue`.
    private static func write(_ value: SpanAttribute, to writer: inout ProtobufWriter) {
        switch value {
        case .string(let text): writer.present(1, text)
        case .stringConvertible(let value): writer.present(1, value.description)
        case .bool(let flag): writer.present(2, flag ? 1 : 0)
        case .int32(let number): writer.present(3, Int64(number))
        case .int64(let number): writer.present(3, number)
        case .double(let number): writer.double(4, number)
        case .stringArray(let texts): array(texts, to: &writer) { $1.present(1, $0) }
        case .boolArray(let flags): array(flags, to: &writer) { $1.present(2, $0 ? 1 : 0) }
        case .int32Array(let numbers): array(numbers, to: &writer) { $1.present(3, Int64($0)) }
        case .int64Array(let numbers): array(numbers, to: &writer) { $1.present(3, $0) }
        case .doubleArray(let numbers): array(numbers, to: &writer) { $1.double(4, $0) }
        default: break
        }
    }

    private static func array<Element>(
        _ elements: [Element],
        to writer: inout ProtobufWriter,
        _ write: (Element, inout ProtobufWriter) -> Void
    ) {
        writer.message(5) { writer in
            for element in elements { writer.message(1) { write(element, &$0) } }
        }
    }
}
