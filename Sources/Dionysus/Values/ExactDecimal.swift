public import struct Foundation.Decimal

/// A decimal number of up to 38 digits that keeps its scale: `150.00` is not written as `150`.
///
/// It corresponds to SQL's `numeric`. Numbers are equal if their values are: `1.5 == 1.50`.
///
/// Arithmetic never traps. A result that needs more than 38 digits loses decimal places, rounded half away from zero;
/// one with more than 38 digits before the decimal point is ``notANumber``.
public struct ExactDecimal: Sendable {
    /// The number without its decimal point, with at most 38 digits.
    public let unscaled: Int128
    /// The number of decimal places, from 0 to 16,383, as in PostgreSQL.
    public let scale: Int

    /// The result of operations that need more than 38 digits.
    ///
    /// Like PostgreSQL's `NaN`, it equals itself and is greater than every number, and operations on it return it. It
    /// can't be published, and SQLite can't store it.
    public static let notANumber = ExactDecimal(exactly: .min, scale: 0)

    static let largest: UInt128 = 99_999_999_999_999_999_999_999_999_999_999_999_999
    static let largestScale = 16_383

    /// Creates a number from its digits, rounded if there are too many.
    /// - Parameters:
    ///   - unscaled: The number without its decimal point.
    ///   - scale: The number of decimal places; if negative, the number of zeros after the digits.
    public init(unscaled: Int128, scale: Int) {
        if unscaled.magnitude <= Self.largest, (0...Self.largestScale).contains(scale) {
            self.init(exactly: unscaled, scale: scale)
        } else if scale >= 0 {
            self = Wide(unscaled.magnitude).rounded(scale: scale, isNegative: unscaled < 0)
        } else if unscaled == 0 {
            self.init(exactly: 0, scale: 0)
        } else if scale >= -38, let factor = powerOfTen(-scale) {
            self = Wide(unscaled.magnitude, times: factor).rounded(scale: 0, isNegative: unscaled < 0)
        } else {
            self = .notANumber
        }
    }

    /// Creates a number from digits that are known to be valid.
    init(exactly unscaled: Int128, scale: Int) {
        self.unscaled = unscaled
        self.scale = scale
    }

    /// Creates an integer, or ``notANumber`` if it has more than 38 digits.
    public init(_ value: some BinaryInteger) {
        guard let value = Int128(exactly: value) else {
            self = .notANumber
            return
        }
        self.init(unscaled: value, scale: 0)
    }

    /// Creates the shortest decimal number that reads back as the same binary number.
    /// - Parameter value: The binary number; the result is nil for infinities, NaN, and numbers that need more than 38
    ///   digits.
    public init?(_ value: Double) { self.init("\(value)") }

    /// Creates a number from Foundation's `Decimal`.
    /// - Parameter value: The number; the result is nil for NaN and for numbers that need more than 38 digits.
    public init?(_ value: Decimal) { self.init("\(value)") }

    /// The number as Foundation's `Decimal`; NaN if that can't represent it.
    public var decimal: Decimal { isNumber ? Decimal(string: description) ?? .nan : .nan }

    /// Whether this is a number rather than ``notANumber``.
    public var isNumber: Bool { unscaled != .min }

    /// The number with another scale, rounded half away from zero if digits are lost.
    /// - Parameter scale: The number of decimal places; negative counts as zero.
    /// - Returns: The number, unchanged if the result would need more than 38 digits.
    public func rounded(toScale scale: Int) -> ExactDecimal {
        let scale = min(max(scale, 0), Self.largestScale)
        guard isNumber, scale != self.scale else { return self }
        if scale > self.scale {
            if unscaled == 0 { return ExactDecimal(exactly: 0, scale: scale) }
            guard let factor = powerOfTen(scale - self.scale) else { return self }
            let (product, overflow) = unscaled.multipliedReportingOverflow(by: factor)
            return overflow || product.magnitude > Self.largest ? self : ExactDecimal(exactly: product, scale: scale)
        }
        guard let factor = powerOfTen(self.scale - scale) else { return ExactDecimal(exactly: 0, scale: scale) }
        let (quotient, remainder) = unscaled.quotientAndRemainder(dividingBy: factor)
        let carry: Int128 = remainder.magnitude * 2 >= factor.magnitude ? (unscaled < 0 ? -1 : 1) : 0
        return ExactDecimal(exactly: quotient + carry, scale: scale)
    }

    public static func + (lhs: ExactDecimal, rhs: ExactDecimal) -> ExactDecimal {
        guard lhs.isNumber, rhs.isNumber else { return .notANumber }
        let (coarse, fine) = lhs.scale <= rhs.scale ? (lhs, rhs) : (rhs, lhs)
        if coarse.unscaled == 0 { return fine }
        // A digit 39 places after the other number's last is never part of the result, but its presence may decide how
        // the last digit is rounded.
        let scale = min(fine.scale, coarse.scale + 39)
        var tail = fine.unscaled.magnitude
        if scale < fine.scale {
            let (head, rest) = tail.quotientAndRemainder(dividingBy: powerOfTen(fine.scale - scale)?.magnitude ?? .max)
            tail = head + (rest > 0 && head % 5 == 0 ? 1 : 0)
        }
        let places = scale - coarse.scale
        guard let factor = powerOfTen(min(places, 38)) else { return .notANumber }
        var head = Wide(coarse.unscaled.magnitude, times: factor)
        if places > 38 { head.appendZero() }
        let (coarseIsNegative, fineIsNegative) = (coarse.unscaled < 0, fine.unscaled < 0)
        if coarseIsNegative == fineIsNegative {
            return (head + Wide(tail)).rounded(scale: scale, isNegative: fineIsNegative)
        }
        return head < Wide(tail)
            ? (Wide(tail) - head).rounded(scale: scale, isNegative: fineIsNegative)
            : (head - Wide(tail)).rounded(scale: scale, isNegative: coarseIsNegative)
    }

    public static func - (lhs: ExactDecimal, rhs: ExactDecimal) -> ExactDecimal { lhs + -rhs }

    public static prefix func - (number: ExactDecimal) -> ExactDecimal {
        number.isNumber ? ExactDecimal(exactly: -number.unscaled, scale: number.scale) : number
    }

    public static func * (lhs: ExactDecimal, rhs: ExactDecimal) -> ExactDecimal {
        guard lhs.isNumber, rhs.isNumber else { return .notANumber }
        let isNegative = (lhs.unscaled < 0) != (rhs.unscaled < 0)
        return Wide(lhs.unscaled.magnitude, times: rhs.unscaled.magnitude)
            .rounded(scale: lhs.scale + rhs.scale, isNegative: isNegative)
    }

    /// The number without trailing zeros in its fraction.
    var normalized: ExactDecimal {
        if unscaled == 0 { return ExactDecimal(exactly: 0, scale: 0) }
        var (digits, places) = (unscaled, scale)
        while places > 0, digits % 10 == 0 {
            digits /= 10
            places -= 1
        }
        return ExactDecimal(exactly: digits, scale: places)
    }

    /// A sum or a product before it is reduced to 38 digits: a magnitude of 256 bits, which can hold 10 to the power of
    /// 77.
    private struct Wide {
        var high: UInt128
        var low: UInt128

        init(_ value: UInt128) { (high, low) = (0, value) }

        init(_ value: UInt128, times factor: some BinaryInteger) {
            (high, low) = value.multipliedFullWidth(by: UInt128(factor))
        }

        static func < (lhs: Wide, rhs: Wide) -> Bool { (lhs.high, lhs.low) < (rhs.high, rhs.low) }

        static func + (lhs: Wide, rhs: Wide) -> Wide {
            let (low, carry) = lhs.low.addingReportingOverflow(rhs.low)
            var sum = Wide(low)
            sum.high = lhs.high &+ rhs.high &+ (carry ? 1 : 0)
            return sum
        }

        /// - Parameter rhs: At most `lhs`.
        static func - (lhs: Wide, rhs: Wide) -> Wide {
            let (low, borrow) = lhs.low.subtractingReportingOverflow(rhs.low)
            var difference = Wide(low)
            difference.high = lhs.high &- rhs.high &- (borrow ? 1 : 0)
            return difference
        }

        /// Multiplies by ten.
        mutating func appendZero() {
            let (carry, product) = low.multipliedFullWidth(by: 10)
            (high, low) = (high &* 10 &+ carry, product)
        }

        /// Removes the last decimal digit.
        mutating func dropDigit() -> UInt128 {
            let (quotient, remainder) = high.quotientAndRemainder(dividingBy: 10)
            let (lowQuotient, digit) = (10 as UInt128).dividingFullWidth((remainder, low))
            (high, low) = (quotient, lowQuotient)
            return digit
        }

        /// The nearest number with 38 digits.
        func rounded(scale: Int, isNegative: Bool) -> ExactDecimal {
            var (rest, scale) = (self, scale)
            if high == 0, low == 0 { return ExactDecimal(exactly: 0, scale: min(scale, ExactDecimal.largestScale)) }
            while rest.high > 0 || rest.low > ExactDecimal.largest || scale > ExactDecimal.largestScale {
                guard scale > 0 else { return .notANumber }
                if rest.high == 0, rest.low == 0 { return ExactDecimal(exactly: 0, scale: ExactDecimal.largestScale) }
                let digit = rest.dropDigit()
                scale -= 1
                // The digits after it were truncated, so nothing is rounded twice.
                let isLast = rest.high == 0 && rest.low <= ExactDecimal.largest && scale <= ExactDecimal.largestScale
                if isLast, digit >= 5 { rest.low += 1 }
            }
            return ExactDecimal(exactly: Int128(rest.low) * (isNegative ? -1 : 1), scale: scale)
        }
    }
}

extension ExactDecimal: Hashable, Comparable {
    public static func == (lhs: ExactDecimal, rhs: ExactDecimal) -> Bool {
        if lhs.scale == rhs.scale { return lhs.unscaled == rhs.unscaled }
        let (left, right) = (lhs.normalized, rhs.normalized)
        return left.unscaled == right.unscaled && left.scale == right.scale
    }

    public static func < (lhs: ExactDecimal, rhs: ExactDecimal) -> Bool {
        guard lhs.isNumber, rhs.isNumber else { return lhs.isNumber && !rhs.isNumber }
        let sign = lhs.unscaled.signum()
        if lhs.scale == rhs.scale || sign == 0 || sign != rhs.unscaled.signum() { return lhs.unscaled < rhs.unscaled }
        return lhs.unscaled < 0 ? isSmaller(rhs, lhs) : isSmaller(lhs, rhs)
    }

    /// Whether the magnitude of one number is less than the other's; neither is zero.
    private static func isSmaller(_ lhs: ExactDecimal, _ rhs: ExactDecimal) -> Bool {
        let places = rhs.scale - lhs.scale
        // If 38 or more zeros must be added, the first digit of one precedes all digits of the other.
        guard let factor = powerOfTen(abs(places)) else { return places < 0 }
        return places > 0
            ? Wide(lhs.unscaled.magnitude, times: factor) < Wide(rhs.unscaled.magnitude)
            : Wide(lhs.unscaled.magnitude) < Wide(rhs.unscaled.magnitude, times: factor)
    }

    public func hash(into hasher: inout Hasher) {
        let value = normalized
        hasher.combine(value.unscaled)
        hasher.combine(value.scale)
    }
}

func powerOfTen(_ exponent: Int) -> Int128? {
    guard (0...38).contains(exponent) else { return nil }
    return (0..<exponent).reduce(1 as Int128) { value, _ in value * 10 }
}
