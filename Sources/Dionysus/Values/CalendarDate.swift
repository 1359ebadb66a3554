/// A day of the calendar, without a time and a time zone: `2024-02-29`.
///
/// It stands for SQL's `date`, in the Gregorian calendar.
public struct CalendarDate: Sendable, Hashable, Comparable {
    /// The year; 0 is the year before the first.
    public let year: Int
    /// The month, from 1 to 12.
    public let month: Int
    /// The day of the month, from 1.
    public let day: Int

    /// Creates a date.
    ///
    /// Nil is returned for a day that the calendar doesn't have, and for years of more than six digits.
    public init?(year: Int, month: Int, day: Int) {
        guard (-999_999...999_999).contains(year), (1...12).contains(month),
            (1...daysIn(month: Int64(month), year: Int64(year))).contains(Int64(day))
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// The day on which a point in time lies in UTC.
    public init(_ time: Timestamp) {
        let date = civil(fromDays: time.microseconds.floorDivided(by: 86_400_000_000))
        year = Int(date.year)
        month = Int(date.month)
        day = Int(date.day)
    }

    /// The day's beginning in UTC, or nil for a year that 64 bits of microseconds don't count.
    public var midnight: Timestamp? { Timestamp(description) }

    public static func < (lhs: CalendarDate, rhs: CalendarDate) -> Bool {
        (lhs.year, lhs.month, lhs.day) < (rhs.year, rhs.month, rhs.day)
    }
}

extension CalendarDate: LosslessStringConvertible {
    /// ISO 8601: `2024-02-29`.
    ///
    /// Years of more than four digits have six.
    public var description: String {
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let years = digits(abs(year), abs(year) > 9_999 ? 6 : 4)
        return "\(year < 0 ? "-" : "")\(years)-\(digits(month, 2))-\(digits(day, 2))"
    }

    /// Reads `2024-02-29`.
    /// - Parameter description: The text; nil is returned for what is no day, and for what has a time behind it.
    public init?(_ description: String) {
        var description = description
        let parts = description.withUTF8 { bytes -> (Int64, Int64, Int64)? in
            var reader = DigitReader(bytes: bytes)
            guard let year = reader.year(), reader.take(45), let month = reader.number(2), reader.take(45),
                let day = reader.number(2), reader.isAtEnd
            else { return nil }
            return (year, month, day)
        }
        guard let parts else { return nil }
        self.init(year: Int(parts.0), month: Int(parts.1), day: Int(parts.2))
    }
}

extension CalendarDate: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = CalendarDate(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no date")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
