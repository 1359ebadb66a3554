import Dionysus
import DionysusProducer
import Testing

/// Values as Rails writes them: the expected ones are what `to_json` of ActiveSupport gives.
@Suite struct WireStyleTests {
    struct Sample: Model {
        var id = 1
        var decimal: ExactDecimal = 0
        var binary: Double?
        var text: String?
        var time: Timestamp?

        enum CodingKeys: String, CodingKey { case id, decimal, binary, text, time }
    }

    struct Serializer: ModelSerializer {
        var fields: Fields<Sample> {
            Attributes(.id, .binary, .text, .time)
            Attributes(.decimal)
        }
    }

    private func member(_ name: String, of sample: Sample) throws -> JSON? {
        try Serializer().payload(of: sample, wire: .dionysusRb)[name]
    }

    @Test(arguments: [
        ("212.60", "212.6"), ("100.00", "100.0"), ("0", "0.0"), ("0.00", "0.0"), ("-0.50", "-0.5"), ("0.001", "0.001"),
        ("-12345678901234567890.10", "-12345678901234567890.1"), ("1000", "1000.0"), ("1e3", "1000.0"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999.0"),
    ])
    func `decimal numbers have BigDecimal's text`(_ number: String, _ expected: String) throws {
        let decimal = try #require(ExactDecimal(number))
        #expect(try member("decimal", of: Sample(decimal: decimal)) == .string(expected))
    }

    @Test(arguments: [
        (1e16, "1.0e+16"), (1e15, "1.0e+15"), (1e14, "100000000000000.0"), (999_999_999_999_999.0, "999999999999999.0"),
        (123_456_789_012_345.6, "123456789012345.6"), (1e-5, "1.0e-05"), (0.0001, "0.0001"), (0.001, "0.001"),
        (-0.0, "-0.0"), (1.5, "1.5"), (3, "3.0"), (1e22, "1.0e+22"), (1e-10, "1.0e-10"), (1e100, "1.0e+100"),
        (1.2345678901234568e17, "1.2345678901234568e+17"), (-123.456, "-123.456"),
    ])
    func `binary numbers have Ruby's digits`(_ number: Double, _ expected: String) throws {
        #expect(try member("binary", of: Sample(binary: number)) == .number(expected))
    }

    @Test func `times have three digits, or fewer where that is set`() throws {
        let time = try #require(Timestamp("2026-11-28T10:00:00.350687Z"))
        #expect(try member("time", of: Sample(time: time)) == "2026-11-28T10:00:00.350Z")
        let payload = try Serializer().payload(of: Sample(time: time), fractionDigits: 0, wire: .dionysusRb)
        #expect(payload["time"] == "2026-11-28T10:00:00Z")
    }
}
