import Dionysus

/// Decimal numbers of any length, computed digit by digit, as a reference for ``ExactDecimal``.
struct DecimalOracle {
    /// The magnitude's digits, most significant first, without leading zeros.
    private var digits: [Int]
    private var isNegative: Bool
    private(set) var scale: Int

    init(_ number: ExactDecimal) {
        digits = String(number.unscaled.magnitude).compactMap(\.wholeNumberValue)
        isNegative = number.unscaled < 0
        scale = number.scale
        trim()
    }

    private init(_ digits: [Int], _ isNegative: Bool, _ scale: Int) {
        (self.digits, self.isNegative, self.scale) = (digits, isNegative, scale)
        trim()
    }

    private mutating func trim() {
        digits = Array(digits.drop { $0 == 0 })
        if digits.isEmpty { isNegative = false }
    }

    private func aligned(to scale: Int) -> [Int] { digits + Array(repeating: 0, count: scale - self.scale) }

    private static func isLess(_ left: [Int], _ right: [Int]) -> Bool {
        let (left, right) = (Array(left.drop { $0 == 0 }), Array(right.drop { $0 == 0 }))
        return left.count == right.count ? left.lexicographicallyPrecedes(right) : left.count < right.count
    }

    private static func sum(_ left: [Int], _ right: [Int], sign: Int) -> [Int] {
        let count = max(left.count, right.count) + 1
        let left = Array(repeating: 0, count: count - left.count) + left
        let right = Array(repeating: 0, count: count - right.count) + right
        var result = Array(repeating: 0, count: count)
        var carry = 0
        for index in result.indices.reversed() {
            let digit = left[index] + sign * right[index] + carry
            result[index] = (digit + 10) % 10
            carry = digit < 0 ? -1 : digit / 10
        }
        return result
    }

    static func + (left: DecimalOracle, right: DecimalOracle) -> DecimalOracle {
        let scale = max(left.scale, right.scale)
        let (a, b) = (left.aligned(to: scale), right.aligned(to: scale))
        if left.isNegative == right.isNegative { return DecimalOracle(sum(a, b, sign: 1), left.isNegative, scale) }
        return isLess(a, b)
            ? DecimalOracle(sum(b, a, sign: -1), right.isNegative, scale)
            : DecimalOracle(sum(a, b, sign: -1), left.isNegative, scale)
    }

    static prefix func - (number: DecimalOracle) -> DecimalOracle {
        DecimalOracle(number.digits, !number.isNegative, number.scale)
    }

    static func * (left: DecimalOracle, right: DecimalOracle) -> DecimalOracle {
        var result: [Int] = []
        for (index, digit) in right.digits.reversed().enumerated() {
            for _ in 0..<digit { result = sum(result, left.digits + Array(repeating: 0, count: index), sign: 1) }
        }
        return DecimalOracle(result, left.isNegative != right.isNegative, left.scale + right.scale)
    }

    static func < (left: DecimalOracle, right: DecimalOracle) -> Bool {
        let difference = left + -right
        return difference.isNegative
    }

    /// The nearest number with 38 digits, as text; nil if there is none.
    var nearest: String? {
        let excess = max(digits.count - 38, scale - 16_383, 0)
        guard excess <= scale else { return nil }
        var number = self
        if excess > 0 {
            let kept = Array(digits.dropLast(excess))
            let first = excess <= digits.count ? digits[digits.count - excess] : 0
            number = DecimalOracle(first >= 5 ? Self.sum(kept, [1], sign: 1) : kept, isNegative, scale - excess)
            // The carry may have added a digit.
            if number.digits.count > 38 { return number.nearest }
        }
        let text = number.digits.map(String.init).joined()
        let padded = String(repeating: "0", count: max(0, number.scale + 1 - text.count)) + text
        let point = padded.count - number.scale
        let value = number.scale == 0 ? padded : padded.prefix(point) + "." + padded.dropFirst(point)
        return (number.isNegative ? "-" : "") + value
    }
}
