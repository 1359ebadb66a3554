package import Tracing

/// The place of a span in a trace, as W3C Trace Context has it.
package struct SpanContext: Sendable, Hashable {
    /// The trace's 16 bytes.
    let trace: Pair
    /// The span's 8 bytes.
    let span: UInt64
    /// The flags, of which the lowest says that the trace is sampled.
    let flags: UInt8
    /// What tracing systems have added of their own.
    let state: String?
    /// Whether it came from another process.
    let isRemote: Bool

    /// Two numbers of 64 bits.
    struct Pair: Sendable, Hashable {
        let high: UInt64
        let low: UInt64
    }

    /// The trace's id in 32 hexadecimal digits.
    package var traceID: String { Hexadecimal.text(trace.high) + Hexadecimal.text(trace.low) }
    /// The span's id in 16 hexadecimal digits.
    package var spanID: String { Hexadecimal.text(span) }
    /// Whether the trace's spans are recorded.
    package var isSampled: Bool { flags & 1 == 1 }
}

extension SpanContext {
    /// Reads what another process has sent.
    /// - Parameters:
    ///   - traceparent: Version, trace, span and flags; nil is returned for text of another form.
    ///   - tracestate: What tracing systems have added; left out if it is longer than 512 bytes.
    init?(traceparent: String, tracestate: String?) {
        let text = Array(traceparent.utf8)
        let dash = UInt8(ascii: "-")
        // Later versions may be longer, and begin with what this one has.
        guard text.count >= 55, text[2] == dash, text[35] == dash, text[52] == dash,
            let version = Hexadecimal.number(text[0..<2]), version != 0xFF,
            text.count == 55 || (version > 0 && text[55] == dash),
            let high = Hexadecimal.number(text[3..<19]), let low = Hexadecimal.number(text[19..<35]),
            let span = Hexadecimal.number(text[36..<52]), let flags = Hexadecimal.number(text[53..<55]),
            high | low != 0, span != 0
        else { return nil }
        let state = tracestate.flatMap { $0.isEmpty || $0.utf8.count > 512 ? nil : $0 }
        self.init(trace: Pair(high: high, low: low), span: span, flags: UInt8(flags & 1), state: state, isRemote: true)
    }

    /// What other processes are sent.
    var traceparent: String { "00-\(traceID)-\(spanID)-0\(flags & 1)" }
}

extension ServiceContext {
    /// The current span, or the one that another process sent along.
    package internal(set) var spanContext: SpanContext? {
        get { self[SpanContextKey.self] }
        set { self[SpanContextKey.self] = newValue }
    }
}

private enum SpanContextKey: ServiceContextKey {
    typealias Value = SpanContext
    static var nameOverride: String? { "span" }
}

/// Numbers as hexadecimal digits in lower case, as W3C Trace Context has them.
private enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ number: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { bytes in
            for place in 0..<16 { bytes[place] = digits[Int(number >> UInt64(60 - 4 * place) & 0xF)] }
            return 16
        }
    }

    static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in text {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }
}
