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
