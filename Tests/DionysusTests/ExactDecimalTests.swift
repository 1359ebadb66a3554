import Dionysus
import Foundation
import Testing

@Suite struct ExactDecimalTests {
    @Test("a number keeps its scale, and is equal to others of the same value")
    func scale() throws {
        let price = try #require(ExactDecimal("150.00"))
        #expect(price.description == "150.00")
        #expect(price == ExactDecimal("150"))
        #expect(price.hashValue == ExactDecimal("150.0")?.hashValue)
    }

    @Test("an exponent that no number of 38 digits has is no number", arguments: [Int.min, -77, 77, Int.max])
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
        "the shortest form of a binary number is meant",
        arguments: [(123.45, "123.45"), (0.1, "0.1"), (1e20, "100000000000000000000"), (-2.5, "-2.5")]
    )
    func binary(_ value: Double, _ text: String) {
        #expect(ExactDecimal(value) == ExactDecimal(text))
    }

    @Test(
        "what is no number, or has more than 38 digits, is none",
        arguments: ["", "-", "1.2.3", "NaN", "1e999", String(repeating: "9", count: 40)]
    )
    func others(_ text: String) {
        #expect(ExactDecimal(text) == nil)
    }
}
