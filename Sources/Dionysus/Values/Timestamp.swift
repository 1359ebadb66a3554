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
    public init?(exactly date: Date) {
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

extension Timestamp: LosslessStringConvertible {
    public var description: String { iso8601() }

    /// ISO 8601 in UTC: `2023-12-08T14:02:36.280000Z`.
    ///
    /// Years of more than four digits have six.
    /// - Parameter fractionDigits: The number of fractional digits, from 0 to 6; the rest is truncated.
    public func iso8601(fractionDigits: Int = 6) -> String {
        String(unsafeUninitializedCapacity: 40) { buffer in
            write(into: buffer, fractionDigits: fractionDigits)
        }
    }

    /// Writes ISO 8601 into a buffer of at least 40 bytes.
    /// - Returns: The number of bytes written.
    package func write(into buffer: UnsafeMutableBufferPointer<UInt8>, fractionDigits: Int) -> Int {
        let dayLength: Int64 = 86_400_000_000
        let days = microseconds.floorDivided(by: dayLength)
        // The start of the day may be before the first point in time; the difference isn't.
        let rest = microseconds &- days &* dayLength
        let (year, month, day) = civil(fromDays: days)
        var position = 0

        func put(_ byte: UInt8) {
            buffer[position] = byte
            position += 1
        }
        func digits(_ value: Int64, _ count: Int) {
            var value = value
            for index in stride(from: position + count - 1, through: position, by: -1) {
                buffer[index] = UInt8(48 + value % 10)
                value /= 10
            }
            position += count
        }

        if year < 0 { put(45) }
        digits(abs(year), abs(year) > 9_999 ? 6 : 4)
        put(45)
        digits(month, 2)
        put(45)
        digits(day, 2)
        put(84)
        let seconds = rest / 1_000_000
        digits(seconds / 3_600, 2)
        put(58)
        digits(seconds / 60 % 60, 2)
        put(58)
        digits(seconds % 60, 2)
        let count = min(max(fractionDigits, 0), 6)
        if count > 0 {
            put(46)
            var fraction = rest % 1_000_000
            for _ in count..<6 { fraction /= 10 }
            digits(fraction, count)
        }
        put(90)
        return position
    }

    /// Parses ISO 8601 and the formats of SQL databases and Rails.
    ///
    /// The date and the time are separated by `T` or a space; the fraction has any number of digits (digits beyond
    /// microseconds are truncated); the offset is `Z`, `UTC`, `GMT`, `+HH`, `+HHMM` or `+HH:MM`, may follow a space,
    /// and defaults to UTC. A date alone means midnight. Years have four to six digits and may have a sign. The parts
    /// of a date are separated by `-`, or by `/` in Rails' own format.
    public init?(_ description: String) {
        guard let value = Timestamp.reading(description) else { return nil }
        self = value.time
    }

    package init?(iso8601 bytes: UnsafeBufferPointer<UInt8>) {
        guard let value = Timestamp.reading(bytes) else { return nil }
        self = value.time
    }

    /// Parses a time, and determines the precision of its text.
    /// - Parameter description: The text, in a format of ``init(_:)``.
    /// - Returns: The time, and the value of its text's last digit in microseconds: 1000 for `10:00:00.350`.
    package static func reading(_ description: String) -> (time: Timestamp, unit: Int64)? {
        var description = description
        return description.withUTF8 { reading($0) }
    }

    private static func reading(_ bytes: UnsafeBufferPointer<UInt8>) -> (time: Timestamp, unit: Int64)? {
        var reader = DigitReader(bytes: bytes)
        guard let year = reader.year(), let separator = reader.peek, separator == 45 || separator == 47,
            reader.take(separator), let month = reader.number(2), reader.take(separator),
            let day = reader.number(2), (1...12).contains(month), (1...daysIn(month: month, year: year)).contains(day)
        else { return nil }
        let date = days(fromCivil: year, month, day)
        if reader.isAtEnd {
            return Timestamp(days: date, microseconds: 0).map { ($0, 86_400_000_000) }
        }
        guard reader.take(84) || reader.take(116) || reader.take(32),
            let hour = reader.number(2), hour < 24, reader.take(58), let minute = reader.number(2), minute < 60
        else { return nil }
        var result = (hour * 60 + minute) * 60_000_000
        var unit: Int64 = 60_000_000
        if reader.take(58) {
            guard let second = reader.number(2), second <= 60 else { return nil }
            result += second * 1_000_000
            unit = 1_000_000
            if reader.take(46) || reader.take(44) {
                guard let fraction = reader.fraction() else { return nil }
                result += fraction.microseconds
                unit = fraction.unit
            }
        }
        guard let offset = reader.offset(), reader.isAtEnd else { return nil }
        return Timestamp(days: date, microseconds: result - offset).map { ($0, unit) }
    }

    /// The latest multiple of a number of microseconds that isn't later.
    package func floored(to unit: Int64) -> Timestamp {
        guard unit > 1 else { return self }
        let count = microseconds.floorDivided(by: unit)
        let (floor, overflows) = count.multipliedReportingOverflow(by: unit)
        return overflows ? self : Timestamp(microseconds: floor)
    }

    /// - Returns: Nil if 64 bits can't represent it.
    private init?(days: Int64, microseconds: Int64) {
        guard let sum = Int64(exactly: Int128(days) * 86_400_000_000 + Int128(microseconds)) else { return nil }
        self.microseconds = sum
    }
}

extension Timestamp: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no ISO 8601 time")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Parses numbers of a fixed length.
struct DigitReader {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    var isAtEnd: Bool { position == bytes.count }
    var peek: UInt8? { isAtEnd ? nil : bytes[position] }

    mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func number(_ digits: Int) -> Int64? {
        guard position + digits <= bytes.count else { return nil }
        var value: Int64 = 0
        for index in position..<(position + digits) {
            let digit = bytes[index] &- 48
            guard digit < 10 else { return nil }
            value = value * 10 + Int64(digit)
        }
        position += digits
        return value
    }

    /// Four to six digits, optionally with a sign.
    mutating func year() -> Int64? {
        let isNegative = take(45)
        if !isNegative { _ = take(43) }
        guard var value = number(4) else { return nil }
        for _ in 0..<2 {
            guard let digit = number(1) else { break }
            value = value * 10 + digit
        }
        return isNegative ? -value : value
    }

    /// The digits of a fraction, as microseconds, and the value of the last digit.
    mutating func fraction() -> (microseconds: Int64, unit: Int64)? {
        var value: Int64 = 0
        var unit: Int64 = 1_000_000
        let start = position
        while position < bytes.count, bytes[position] &- 48 < 10 {
            if unit > 1 {
                unit /= 10
                value += Int64(bytes[position] - 48) * unit
            }
            position += 1
        }
        return position > start ? (value, unit) : nil
    }

    /// The offset from UTC in microseconds; zero at the end of the text.
    mutating func offset() -> Int64? {
        if isAtEnd || take(90) || take(122) { return 0 }
        if take(32), isAtEnd { return nil }
        if take(Array("UTC".utf8)) || take(Array("GMT".utf8)) || take(90) { return 0 }
        let isNegative = take(45)
        guard isNegative || take(43), let hours = number(2), hours < 24 else { return nil }
        var minutes = hours * 60
        if !isAtEnd {
            _ = take(58)
            guard let more = number(2), more < 60 else { return nil }
            minutes += more
        }
        return (isNegative ? -minutes : minutes) * 60_000_000
    }

    private mutating func take(_ word: [UInt8]) -> Bool {
        guard bytes[position...].starts(with: word) else { return false }
        position += word.count
        return true
    }
}

// Days and civil dates after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so
// that the leap day is the last day of a year.

private func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = year.floorDivided(by: 400)
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}

func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted.floorDivided(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}

func daysIn(month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
}

extension Int64 {
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
