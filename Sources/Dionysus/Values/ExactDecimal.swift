public import struct Foundation.Decimal

/// A decimal number of up to 38 digits that keeps its scale: `150.00` is not written as `150`.
///
/// It stands for SQL's `numeric`. Two numbers are equal when their values are: `1.5 == 1.50`.
public struct ExactDecimal: Sendable {
    /// The number without its decimal point.
    public var unscaled: Int128
    /// How many of the digits are behind the point; zero or more.
    public var scale: Int

    /// Creates a number from its digits.
    /// - Parameters:
    ///   - unscaled: The number without its decimal point.
    ///   - scale: How many of the digits are behind the point; zero or more.
    public init(unscaled: Int128, scale: Int) {
        self.unscaled = unscaled
        self.scale = scale
    }

    /// Creates a whole number.
    /// - Parameter value: The number.
    public init(_ value: some BinaryInteger) {
        self.init(unscaled: Int128(value), scale: 0)
    }

    /// Creates the shortest decimal number that reads back as the same binary number.
    /// - Parameter value: The binary number; nil is returned for infinities and NaN.
    public init?(_ value: Double) { self.init("\(value)") }

    /// Creates a number from Foundation's.
    /// - Parameter value: The number; nil is returned for NaN.
    public init?(_ value: Decimal) { self.init("\(value)") }

    /// The number as Foundation has it.
    public var decimal: Decimal { Decimal(string: description) ?? .nan }

    /// The number with another scale, half away from zero where digits are lost.
    /// - Parameter scale: How many digits are to be behind the point.
    /// - Returns: The number, or itself where it would need more than 38 digits.
    public func rounded(toScale scale: Int) -> ExactDecimal {
        if scale >= self.scale {
            guard let factor = powerOfTen(scale - self.scale) else { return self }
            let (product, overflow) = unscaled.multipliedReportingOverflow(by: factor)
            return overflow ? self : ExactDecimal(unscaled: product, scale: scale)
        }
        guard let factor = powerOfTen(self.scale - scale) else { return ExactDecimal(unscaled: 0, scale: scale) }
        let (quotient, remainder) = unscaled.quotientAndRemainder(dividingBy: factor)
        let carry: Int128 = remainder.magnitude * 2 >= factor.magnitude ? (unscaled < 0 ? -1 : 1) : 0
        return ExactDecimal(unscaled: quotient + carry, scale: scale)
    }

    public static func + (lhs: ExactDecimal, rhs: ExactDecimal) -> ExactDecimal {
        let scale = max(lhs.scale, rhs.scale)
        return ExactDecimal(
            unscaled: lhs.rounded(toScale: scale).unscaled + rhs.rounded(toScale: scale).unscaled,
            scale: scale
        )
    }

    public static func - (lhs: ExactDecimal, rhs: ExactDecimal) -> ExactDecimal {
        lhs + ExactDecimal(unscaled: -rhs.unscaled, scale: rhs.scale)
    }

    public static func * (lhs: ExactDecimal, rhs: ExactDecimal) -> ExactDecimal {
        ExactDecimal(unscaled: lhs.unscaled * rhs.unscaled, scale: lhs.scale + rhs.scale)
    }

    /// The number without zeros at the end of its fraction.
    var normalized: ExactDecimal {
        var result = self
        while result.scale > 0, result.unscaled % 10 == 0 {
            result.unscaled /= 10
            result.scale -= 1
        }
        return result
    }
}

extension ExactDecimal: Hashable, Comparable {
    public static func == (lhs: ExactDecimal, rhs: ExactDecimal) -> Bool {
        if lhs.scale == rhs.scale { return lhs.unscaled == rhs.unscaled }
        let (left, right) = (lhs.normalized, rhs.normalized)
        return left.unscaled == right.unscaled && left.scale == right.scale
    }

    public static func < (lhs: ExactDecimal, rhs: ExactDecimal) -> Bool {
        if lhs.scale == rhs.scale { return lhs.unscaled < rhs.unscaled }
        let (left, right) = (lhs.normalized, rhs.normalized)
        if left.scale == right.scale { return left.unscaled < right.unscaled }
        let (leftWhole, leftFraction) = left.parts
        let (rightWhole, rightFraction) = right.parts
        if leftWhole != rightWhole { return leftWhole < rightWhole }
        let scale = max(left.scale, right.scale)
        return leftFraction.rounded(toScale: scale).unscaled < rightFraction.rounded(toScale: scale).unscaled
    }

    public func hash(into hasher: inout Hasher) {
        let value = normalized
        hasher.combine(value.unscaled)
        hasher.combine(value.scale)
    }

    private var parts: (whole: Int128, fraction: ExactDecimal) {
        guard let factor = powerOfTen(scale) else { return (0, self) }
        let (quotient, remainder) = unscaled.quotientAndRemainder(dividingBy: factor)
        return (quotient, ExactDecimal(unscaled: remainder, scale: scale))
    }
}

extension ExactDecimal: LosslessStringConvertible, ExpressibleByIntegerLiteral {
    /// Creates a whole number.
    /// - Parameter value: The number.
    public init(integerLiteral value: Int64) { self.init(unscaled: Int128(value), scale: 0) }

    public var description: String {
        if scale == 0 { return String(unscaled) }
        var digits = String(unscaled.magnitude)
        if digits.utf8.count <= scale {
            digits = String(repeating: "0", count: scale - digits.utf8.count + 1) + digits
        }
        digits.insert(".", at: digits.utf8.index(digits.endIndex, offsetBy: -scale))
        return unscaled < 0 ? "-" + digits : digits
    }

    /// The number if it is a whole one of 64 bits.
    package var wholeNumber: Int64? {
        let value = normalized
        return value.scale == 0 ? Int64(exactly: value.unscaled) : nil
    }

    /// Reads a decimal number, with an exponent if it has one.
    /// - Parameter description: The text; nil is returned for what is no number, or has more than 38 digits.
    public init?(_ description: String) {
        var description = description
        let value = description.withUTF8 { ExactDecimal(utf8: $0) }
        guard let value else { return nil }
        self = value
    }

    package init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        var position = 0
        var isNegative = false
        if let first = bytes.first, first == 45 || first == 43 {
            isNegative = first == 45
            position = 1
        }
        var value: Int128 = 0
        var scale = 0
        var digits = 0
        var isFraction = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 46, !isFraction {
                isFraction = true
            } else if byte &- 48 < 10 {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int128(byte - 48))
                if overflow || carry { return nil }
                value = sum
                digits += 1
                if isFraction { scale += 1 }
            } else {
                break
            }
            position += 1
        }
        guard digits > 0 else { return nil }
        if position < bytes.count {
            guard bytes[position] == 101 || bytes[position] == 69,
                let text = String(validating: bytes[(position + 1)...], as: UTF8.self),
                let exponent = Int(text), (-76...76).contains(exponent)
            else { return nil }
            scale -= exponent
            if scale < 0 {
                guard let factor = powerOfTen(-scale) else { return nil }
                let (product, overflow) = value.multipliedReportingOverflow(by: factor)
                if overflow { return nil }
                value = product
                scale = 0
            }
        }
        self.init(unscaled: isNegative ? -value : value, scale: scale)
    }
}

extension ExactDecimal: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let value: ExactDecimal? =
            if let text = try? container.decode(String.self) {
                ExactDecimal(text)
            } else if let integer = try? container.decode(Int64.self) {
                ExactDecimal(integer)
            } else {
                try ExactDecimal(container.decode(Double.self))
            }
        guard let value else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no decimal number")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

private func powerOfTen(_ exponent: Int) -> Int128? {
    guard (0...38).contains(exponent) else { return nil }
    return (0..<exponent).reduce(1 as Int128) { value, _ in value * 10 }
}
