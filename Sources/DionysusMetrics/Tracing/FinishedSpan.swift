import Tracing

/// A span that has ended, as it is sent.
struct FinishedSpan: Sendable {
    struct Event: Sendable {
        let name: String
        let time: UInt64
        let attributes: SpanValues
    }

    struct Link: Sendable {
        let context: SpanContext
        let attributes: SpanValues
    }

    let context: SpanContext
    let parent: SpanContext?
    let name: String
    let kind: SpanKind
    let start: UInt64
    let end: UInt64
    let attributes: SpanValues
    let events: [Event]
    let droppedEvents: Int
    let links: [Link]
    let droppedLinks: Int
    let status: SpanStatus?
}

/// Attributes with their values, within limits.
struct SpanValues: Sendable {
    let values: [(name: String, value: SpanAttribute)]
    let dropped: Int

    init(_ attributes: SpanAttributes, count: Int, length: Int) {
        var values: [(name: String, value: SpanAttribute)] = []
        var dropped = 0
        values.reserveCapacity(min(attributes.count, count))
        attributes.forEach { name, value in
            if values.count < count { values.append((name, value.cut(to: length))) } else { dropped += 1 }
        }
        (self.values, self.dropped) = (values, dropped)
    }
}

extension SpanAttribute {
    fileprivate func cut(to length: Int) -> SpanAttribute {
        let cut = { (text: String) in text.utf8.count > length ? String(text.prefix(length)) : text }
        switch self {
        case .string(let text): return .string(cut(text))
        case .stringArray(let texts): return .stringArray(texts.map(cut))
        case .stringConvertible(let value): return .string(cut(value.description))
        case .stringConvertibleArray(let values): return .stringArray(values.map { cut($0.description) })
        default: return self
        }
    }
}
