import Dionysus
import Foundation
import Testing

@Suite struct ExactDecimalTests {
    @Test("a number keeps its scale, and equals others of the same value")
    func scale() throws {
        let price = try #require(ExactDecimal("150.00"))
        #expect(price.description == "150.00")
        #expect(price == ExactDecimal("150"))
        #expect(price.hashValue == ExactDecimal("150.0")?.hashValue)
    }

    @Test("a number whose exponent needs more than 38 digits is rejected", arguments: [Int.min, -77, 77, Int.max])
    func exponents(_ exponent: Int) {
        #expect(ExactDecimal("1e\(exponent)") == nil)
    }

    @Test("sums and roundings agree with Foundation's")
    func arithmetic() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let left = ExactDecimal(
                unscaled: Int128(Int64.random(in: -1_000_000_000...1_000_000_000, using: &random)),
                scale: Int.random(in: 0...6, using: &random)
            )
            let right = ExactDecimal(
                unscaled: Int128(Int64.random(in: -1_000_000_000...1_000_000_000, using: &random)),
                scale: Int.random(in: 0...6, using: &random)
            )
            #expect((left + right).decimal == left.decimal + right.decimal)
            #expect((left - right).decimal == left.decimal - right.decimal)
            #expect((left * right).decimal == left.decimal * right.decimal)
            #expect((left < right) == (left.decimal < right.decimal))
            var value = left.decimal
            var rounded = Decimal()
            NSDecimalRound(&rounded, &value, 2, .plain)
            #expect(left.rounded(toScale: 2).decimal == rounded)
        }
    }

    @Test(
        "a binary number becomes the shortest decimal number",
        arguments: [(123.45, "123.45"), (0.1, "0.1"), (1e20, "100000000000000000000"), (-2.5, "-2.5")]
    )
    func binary(_ value: Double, _ text: String) {
        #expect(ExactDecimal(value) == ExactDecimal(text))
    }

    @Test(
        "text that isn't a number, or has more than 38 digits, is rejected",
        arguments: ["", "-", "1.2.3", "NaN", "1e999", String(repeating: "9", count: 40)]
    )
    func others(_ text: String) {
        #expect(ExactDecimal(text) == nil)
    }

    private static let edges: [ExactDecimal] = {
        let digits: [Int128] = [0, 1, 5, 9, 10, 49, 50, 51, 99, 12_345, .max / 10, .max / 10 + 1]
        let most = Int128(99_999_999_999_999_999_999_999_999_999_999_999_999)
        let all = digits + [most, most - 1, most / 2, most / 2 + 1, most / 10]
        return all.flatMap { digits in
            [0, 1, 2, 10, 37, 38, 39, 40, 77, 120]
                .flatMap { scale in
                    [ExactDecimal(unscaled: digits, scale: scale), ExactDecimal(unscaled: -digits, scale: scale)]
                }
        }
    }()

    private static func isNearest(_ number: ExactDecimal, to exact: DecimalOracle) -> Bool {
        guard let nearest = exact.nearest else { return !number.isNumber }
        return number == ExactDecimal(nearest) && number.isNumber
    }

    @Test("sums, differences and order are exact, at all limits and for all scales")
    func limits() {
        var random = SeededNumbers(seed: 7)
        for left in Self.edges {
            for _ in 0..<8 {
                guard let right = Self.edges.randomElement(using: &random) else { continue }
                let (a, b) = (DecimalOracle(left), DecimalOracle(right))
                #expect(Self.isNearest(left + right, to: a + b), "\(left) + \(right)")
                #expect(Self.isNearest(left - right, to: a + -b), "\(left) - \(right)")
                #expect((left < right) == (a < b), "\(left) < \(right)")
                #expect((left == right) == (!(a < b) && !(b < a)), "\(left) == \(right)")
                if left == right { #expect(left.hashValue == right.hashValue) }
            }
        }
    }

    @Test("products are exact, rounded to 38 digits")
    func products() {
        var random = SeededNumbers(seed: 8)
        for _ in 0..<500 {
            let left = Self.random(using: &random)
            let right = Self.random(using: &random)
            let exact = DecimalOracle(left) * DecimalOracle(right)
            #expect(Self.isNearest(left * right, to: exact), "\(left) * \(right)")
            #expect(Self.isNearest(left + right, to: DecimalOracle(left) + DecimalOracle(right)), "\(left) + \(right)")
        }
    }

    private static func random(using random: inout SeededNumbers) -> ExactDecimal {
        let magnitude = UInt128.random(in: 0...UInt128.max, using: &random) >> Int.random(in: 2...127, using: &random)
        let digits = Int128(magnitude) * (Bool.random(using: &random) ? 1 : -1)
        return ExactDecimal(unscaled: digits, scale: Int.random(in: 0...50, using: &random))
    }

    @Test("numbers with very different scales are added and compared correctly")
    func farApart() throws {
        let large = try #require(ExactDecimal("1e30"))
        let small = try #require(ExactDecimal("0.0000000001"))
        #expect((large + small).description == "1000000000000000000000000000000.0000000")
        #expect((small - large).description == "-1000000000000000000000000000000.0000000")
        #expect((large * small).description == "100000000000000000000.0000000000")
        let tiny = try #require(ExactDecimal("9e-40"))
        let price = try #require(ExactDecimal("0.05"))
        #expect(tiny < price)
        #expect(!(price < tiny))
        #expect(-price < -tiny)
        #expect(-price < tiny)
    }

    @Test("a result with more than 38 digits is not a number, which equals itself and is greater than all others")
    func overflow() {
        let most = ExactDecimal(unscaled: 99_999_999_999_999_999_999_999_999_999_999_999_999, scale: 0)
        let overflows = [
            most + 1, -most - 1, most * most, most * -2, ExactDecimal(UInt128.max), ExactDecimal(Int128.min),
            ExactDecimal(unscaled: .min, scale: 0), ExactDecimal(unscaled: .max, scale: 0),
            ExactDecimal(unscaled: 1, scale: -39), ExactDecimal(unscaled: 10, scale: -38),
            ExactDecimal(unscaled: -1, scale: .min),
        ]
        for overflow in overflows {
            #expect(!overflow.isNumber)
            #expect(overflow == .notANumber)
            #expect(overflow.hashValue == ExactDecimal.notANumber.hashValue)
            #expect(overflow > most)
            #expect(!(overflow < most) && !(overflow < overflow))
            #expect(!(overflow + 1).isNumber && !(1 - overflow).isNumber && !(overflow * 0).isNumber)
            #expect(!(-overflow).isNumber && !overflow.rounded(toScale: 2).isNumber)
            #expect(overflow.description == "NaN" && overflow.decimal.isNaN)
            #expect(throws: (any Error).self) { try JSONEncoder().encode([overflow]) }
        }
        #expect((most - most) == 0)
        #expect((-most).description == "-99999999999999999999999999999999999999")
    }

    @Test("digits and scales beyond the limits are rounded", arguments: [Int.max, 1_000_000, 16_384 + 38])
    func extremeScales(_ scale: Int) {
        #expect(ExactDecimal(unscaled: .max, scale: scale) == ExactDecimal(unscaled: 0, scale: 0))
        #expect(ExactDecimal(unscaled: 0, scale: scale) == 0)
        #expect(ExactDecimal(unscaled: 0, scale: -scale) == 0)
        let least = ExactDecimal(unscaled: 1, scale: 16_383)
        #expect(least * least == 0 && 1 + least > 0 && least + least == ExactDecimal(unscaled: 2, scale: 16_383))
        #expect(0 < least && -least < 0 && least < ExactDecimal(unscaled: 1, scale: 16_382))
    }

    @Test("one digit too many is rounded half away from zero")
    func oneTooMany() {
        #expect(ExactDecimal(unscaled: .max, scale: 2).description == "1701411834604692317316873037158841057.3")
        #expect(ExactDecimal(unscaled: .min, scale: 2).description == "-1701411834604692317316873037158841057.3")
        #expect(ExactDecimal(unscaled: 15, scale: 16_384) == ExactDecimal(unscaled: 2, scale: 16_383))
        #expect(ExactDecimal(unscaled: 12, scale: -2) == 1_200)
    }

    @Test("rounding accepts any scale", arguments: [Int.min, -1, 0, 2, 38, 39, 16_383, 16_384, Int.max])
    func anyScale(_ scale: Int) throws {
        for number in Self.edges {
            let rounded = number.rounded(toScale: scale)
            #expect(ExactDecimal(rounded.description) == rounded)
            if scale >= number.scale { #expect(rounded == number) }
        }
    }

    @Test("every number is parsed from its own text")
    func roundTrips() throws {
        for number in Self.edges {
            let copy = try #require(ExactDecimal(number.description))
            #expect(copy == number && copy.scale == number.scale)
        }
    }

    @Test(
        "a double that needs more than 38 digits is rejected",
        arguments: [Double.infinity, .nan, 1e39, 1e-300, -.infinity]
    )
    func doubles(_ value: Double) {
        #expect(ExactDecimal(value) == nil)
    }
}

/// Numbers that are the same in each run.
private struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
