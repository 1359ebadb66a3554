import Dionysus
import DionysusProducer

import func Foundation.log10

/// How figures are written for people.
enum Format {
    /// A whole number with groups of three digits: `12,345`.
    static func number(_ value: some BinaryInteger) -> String {
        let digits = String(value.magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        groups.insert(rest, at: 0)
        return (value < 0 ? "-" : "") + groups.joined(separator: ",")
    }

    /// A count that may have stopped at its limit: `more than 10,000`.
    static func count(_ count: BoundedCount) -> String {
        count.hasMore ? "more than \(number(count.value))" : number(count.value)
    }

    /// A number of things, in words.
    static func plural(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number(count)) \(count == 1 ? one : many ?? one + "s")"
    }

    /// A range of keys: `42`, `from 1 to 800`; nil for all keys.
    static func keys(_ first: String?, _ last: String?) -> String? {
        switch (first, last) {
        case (nil, nil): nil
        case (let first?, let last?): first == last ? first : "from \(first) to \(last)"
        case (let first?, nil): "from \(first)"
        case (nil, let last?): "up to \(last)"
        }
    }

    /// A number with few digits: `0.42`, `12.5`, `1,204`.
    static func decimal(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        switch abs(value) {
        case 0: return "0"
        case 100...: return abs(value) < 9e18 ? number(Int64(value.rounded())) : "–"
        case 10..<100: return fixed(value, 1)
        case 0.01..<10: return fixed(value, 2)
        default: return "<0.01"
        }
    }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        let unit = digits == 1 ? 10.0 : 100.0
        let scaled = Int64((abs(value) * unit).rounded())
        let (whole, part) = scaled.quotientAndRemainder(dividingBy: Int64(unit))
        var fraction = String(part)
        while fraction.count < digits { fraction = "0" + fraction }
        return "\(value < 0 ? "-" : "")\(whole).\(fraction)"
    }

    /// A duration in the unit that suits it: `9 ms`, `3.2 s`, `4 min`, `2 h`, `3 d`.
    static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ...0: "0 s"
        case ..<0.001: "\(max(0, Int(seconds * 1_000_000))) µs"
        case ..<1: "\(Int((seconds * 1000).rounded())) ms"
        case ..<10: "\(fixed(seconds, 1)) s"
        case ..<120: "\(Int(seconds)) s"
        case ..<7200: "\(Int(seconds / 60)) min"
        case ..<172_800: "\(Int(seconds / 3600)) h"
        default: "\(number(Int64(min(seconds / 86_400, 1e15)))) d"
        }
    }

    static func duration(_ duration: Duration) -> String { Self.duration(duration.inSeconds) }

    /// A number of bytes: `1.5 MiB`.
    static func bytes(_ count: Int64) -> String {
        var (value, units) = (Double(count), ["B", "KiB", "MiB", "GiB", "TiB"][...])
        while value >= 1024, units.count > 1 {
            value /= 1024
            units = units.dropFirst()
        }
        return "\(value >= 10 || units.first == "B" ? number(Int64(value)) : fixed(value, 1)) \(units.first ?? "")"
    }

    /// A time of day, or the day too if it isn't today's.
    static func time(_ time: Timestamp, now: Timestamp = .now) -> String {
        let (text, today) = (time.iso8601(fractionDigits: 0), now.iso8601(fractionDigits: 0))
        let parts = text.split(separator: "T")
        guard parts.count == 2 else { return text }
        let clock = String(parts[1].prefix(8))
        return text.prefix(10) == today.prefix(10) ? clock : "\(parts[0]) \(clock.prefix(5))"
    }

    /// How long ago a time was: `3 min ago`.
    static func ago(_ time: Timestamp, now: Timestamp = .now) -> String {
        let seconds = Double(now.microseconds(since: time)) / 1_000_000
        return seconds < 0 ? "in \(duration(-seconds))" : "\(duration(seconds)) ago"
    }
}
