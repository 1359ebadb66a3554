import Dionysus

/// How numbers, times and texts are written, where more than one way would do.
///
/// Consumers of both kinds read both.
public enum WireStyle: String, Sendable, Hashable, CaseIterable {
    /// Times with as many digits as ``ProducerSettings/timeFractionDigits`` says, decimal numbers with the scale that their
    /// attribute declares.
    case dionysus
    /// As dionysus-rb does it, byte for byte: times with 3 digits, `212.6` and `100.0` for decimal numbers, `1.0e+16` for
    /// binary ones, and no characters of HTML in texts.
    ///
    /// For topics that a Ruby application publishes or consumes too: consumers can't tell that a message of dionysus-rb is newer
    /// if the same record's time had more digits before.
    case dionysusRb = "dionysus-rb"
}

extension WireStyle {
    func encoder(_ fractionDigits: Int) -> JSONTreeEncoder {
        switch self {
        case .dionysus: JSONTreeEncoder(fractionDigits: fractionDigits)
        case .dionysusRb: JSONTreeEncoder(fractionDigits: min(fractionDigits, 3), writesAsRails: true)
        }
    }
}
