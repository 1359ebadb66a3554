/// A calendar date without time and time zone: `2024-02-29`.
///
/// It corresponds to SQL's `date`, in the Gregorian calendar.
public struct CalendarDate: Sendable, Hashable, Comparable {
    /// The astronomical year; 0 is the year before 1.
    public let year: Int
    /// The month, from 1 to 12.
    public let month: Int
    /// The day of the month, from 1.
    public let day: Int

    /// Creates a date.
    ///
    /// The result is nil for a date that doesn't exist, and for years with more than six digits.
    public init?(year: Int, month: Int, day: Int) {
        guard (-999_999...999_999).contains(year), (1...12).contains(month),
            (1...daysIn(month: Int64(month), year: Int64(year))).contains(Int64(day))
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// Creates the date of a point in time in UTC.
    public init(_ time: Timestamp) {
        let date = civil(fromDays: time.microseconds.floorDivided(by: 86_400_000_000))
        year = Int(date.year)
        month = Int(date.month)
        day = Int(date.day)
    }

    /// The start of the day in UTC, or nil if 64 bits of microseconds can't represent it.
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

    /// Parses `2024-02-29`.
    /// - Parameter description: The text; the result is nil if it isn't a date, or has a time after it.
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
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a date")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
