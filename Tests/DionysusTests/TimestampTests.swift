import Dionysus
import Foundation
import Testing

@Suite struct TimestampTests {
    @Test("times survive a round trip, and have Foundation's format")
    func roundTrip() throws {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            // From the year 1600 to 9999.
            let milliseconds = Int64.random(in: -11_676_096_000_000..<253_402_300_800_000, using: &random)
            let time = Timestamp(microseconds: milliseconds * 1_000)
            #expect(Timestamp(time.description) == time)
            // A binary number of seconds is slightly below or above; Foundation truncates.
            let date = Date(timeIntervalSince1970: (Double(milliseconds) + 0.4) / 1_000)
            #expect(time.iso8601(fractionDigits: 3) == date.formatted(style))
        }
    }

    @Test(
        "times are parsed with any number of fractional digits, any offset, and a space for the T",
        arguments: [
            ("2023-12-08T14:02:36Z", 1_702_044_156_000_000),
            ("2023-12-08T14:02:36.28Z", 1_702_044_156_280_000),
            ("2023-12-08T14:02:36.280123999Z", 1_702_044_156_280_123),
            ("2023-12-08 14:02:36.28+00", 1_702_044_156_280_000),
            ("2023-12-08T15:02:36+01:00", 1_702_044_156_000_000),
            ("2023-12-08T08:32:36-0530", 1_702_044_156_000_000),
            ("2023-12-08 14:02", 1_702_044_120_000_000),
            ("2023-12-08", 1_701_993_600_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
        ] as [(String, Int64)]
    )
    func forms(_ text: String, _ microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(
        "text that isn't a time is rejected",
        arguments: [
            "", "now", "2023", "2023-13-01", "2023-02-29", "2023-12-08T25:00:00Z", "2023-12-08T14:02:36.Z",
            "2023-12-08T14:02:36+1", "2023-12-08T14:02:36Zjunk", "infinity",
        ]
    )
    func others(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test(
        "fractions are truncated to the requested digits",
        arguments: [(0, ""), (1, ".2"), (3, ".280"), (6, ".280123")]
    )
    func fractions(_ digits: Int, _ fraction: String) {
        let time = Timestamp(microseconds: 1_702_044_156_280_123)
        #expect(time.iso8601(fractionDigits: digits) == "2023-12-08T14:02:36\(fraction)Z")
    }

    @Test(
        "every point in time survives a round trip, including the first and the last",
        arguments: [
            Int64.min, .min + 1, -62_167_219_200_000_001, -62_167_219_200_000_000, -1, 0, 253_402_300_800_000_000,
            .max - 1, .max,
        ]
    )
    func limits(_ microseconds: Int64) {
        let time = Timestamp(microseconds: microseconds)
        #expect(Timestamp(time.description) == time, "\(time)")
    }

    @Test(
        "a year outside the 64-bit range is rejected",
        arguments: ["294248-01-01", "999999-12-31T00:00:00Z", "-290309-01-01", "-999999-01-01", "1234567-01-01"]
    )
    func farYears(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test(
        "dates and distances beyond the last point in time are clamped",
        arguments: [Double.infinity, 1e300, 1e15, 9_223_372_036_855]
    )
    func beyond(_ seconds: Double) {
        #expect(Timestamp(Date(timeIntervalSince1970: seconds)).microseconds == .max)
        #expect(Timestamp(Date(timeIntervalSince1970: -seconds)).microseconds == .min)
        #expect(Timestamp(exactly: Date(timeIntervalSince1970: seconds)) == nil)
        #expect((Timestamp(microseconds: 1) + seconds).microseconds == .max)
        #expect((Timestamp(microseconds: -1_000_000) + -seconds).microseconds == .min)
    }

    @Test("a date that is NaN is rejected, and shifts no time")
    func noNumber() {
        #expect(Timestamp(exactly: Date(timeIntervalSince1970: .nan)) == nil)
        #expect(Timestamp(Date(timeIntervalSince1970: .nan)).microseconds == .min)
        #expect((Timestamp(microseconds: 5) + .nan).microseconds == 5)
        #expect((Timestamp(microseconds: 5) + 0.1).microseconds == 100_005)
        #expect((Timestamp(microseconds: 5) + -0.1).microseconds == -99_995)
    }
}
