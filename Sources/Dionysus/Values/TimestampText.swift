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
