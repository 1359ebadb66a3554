public import struct Foundation.Date

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A point in time with microseconds, in UTC.
///
/// It corresponds to PostgreSQL's `timestamptz`. Foundation's formatters support only milliseconds and are up to a
/// hundred times slower, so this type parses and formats ISO 8601 itself.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var microseconds: Int64

    /// Creates a point in time.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Creates a point in time, rounded to microseconds.
    /// - Parameter date: The date. A date outside the 64-bit range, some 290,000 years, becomes the first or last point
    ///   in time; NaN becomes the first.
    public init(_ date: Date) {
        self =
            Timestamp(exactly: date)
            ?? Timestamp(microseconds: date.timeIntervalSince1970 > 0 ? .max : .min)
    }

    /// Creates a point in time, rounded to microseconds.
    /// - Parameter date: The date; the result is nil for a date outside the 64-bit range and for NaN.
    package init?(exactly date: Date) {
        let value = (date.timeIntervalSince1970 * 1_000_000).rounded()
        guard let microseconds = Int64(exactly: value) else { return nil }
        self.microseconds = microseconds
    }

    /// The current time.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    /// The same point in time as Foundation's `Date`.
    public var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    /// The microseconds since another point in time, clamped to 64 bits.
    package func microseconds(since other: Timestamp) -> Int64 {
        let (distance, overflows) = microseconds.subtractingReportingOverflow(other.microseconds)
        return overflows ? (self < other ? .min : .max) : distance
    }

    /// The latest multiple of a number of microseconds that isn't later.
    package func floored(to unit: Int64) -> Timestamp {
        guard unit > 1 else { return self }
        let count = microseconds.floorDivided(by: unit)
        let (floor, overflows) = count.multipliedReportingOverflow(by: unit)
        return overflows ? self : Timestamp(microseconds: floor)
    }

    public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool { lhs.microseconds < rhs.microseconds }

    /// The point in time a number of seconds later, clamped to the first and last one.
    public static func + (lhs: Timestamp, seconds: Double) -> Timestamp {
        let end: Int64 = seconds > 0 ? .max : .min
        // Toward zero, like a conversion to an integer.
        guard let distance = Int64(exactly: (seconds * 1_000_000).rounded(.towardZero)) else {
            return seconds.isNaN ? lhs : Timestamp(microseconds: end)
        }
        let (sum, overflows) = lhs.microseconds.addingReportingOverflow(distance)
        return Timestamp(microseconds: overflows ? end : sum)
    }
}
