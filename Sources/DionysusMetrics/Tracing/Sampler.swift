/// Decides which traces are recorded, as OpenTelemetry has it.
public enum Sampler: Sendable, Hashable {
    /// All of them.
    case alwaysOn
    /// None.
    case alwaysOff
    /// A part of them, from 0 to 1, chosen by their ids.
    case ratio(Double)
    /// As whoever began the trace has decided; what begins here, as another sampler says.
    indirect case parentBased(Sampler)

    /// Reads OpenTelemetry's names.
    /// - Parameters:
    ///   - name: `always_on`, `always_off`, `traceidratio`, or one of them behind `parentbased_`.
    ///   - argument: The part, for `traceidratio`; 1 by default.
    /// - Returns: Nil for what is none.
    init?(_ name: String, argument: String?) {
        if let name = name.hasPrefix("parentbased_") ? name.dropFirst("parentbased_".count) : nil {
            guard let root = Sampler(String(name), argument: argument), !name.hasPrefix("parentbased_") else {
                return nil
            }
            self = .parentBased(root)
            return
        }
        switch name {
        case "always_on": self = .alwaysOn
        case "always_off": self = .alwaysOff
        case "traceidratio":
            guard let part = argument.map({ Double($0) }) ?? 1, (0...1).contains(part) else { return nil }
            self = .ratio(part)
        default: return nil
        }
    }

    /// Whether a span is recorded.
    /// - Parameters:
    ///   - trace: The trace's id.
    ///   - parent: The span that it is a child of.
    func samples(_ trace: SpanContext.Pair, parent: SpanContext?) -> Bool {
        switch self {
        case .alwaysOn: true
        case .alwaysOff: false
        // By 63 bits of the id, so that every process decides alike.
        case .ratio(let part): Double(trace.low >> 1) < part * 0x1p63
        case .parentBased(let root): parent?.isSampled ?? root.samples(trace, parent: nil)
        }
    }
}
