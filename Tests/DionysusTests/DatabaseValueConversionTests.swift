import Dionysus
import Testing

struct DatabaseValueConversionTests {
    @Test func `text is compared by its bytes, however a letter is composed`() {
        let (composed, combined) = ("caf\u{e9}", "cafe\u{301}")
        #expect(composed == combined)
        #expect(DatabaseValue.text(composed) != .text(combined))
        #expect(DatabaseValue.text(composed) == .text("caf" + "\u{e9}"))
        #expect(JSON.string(composed) != .string(combined))
        #expect(Set([DatabaseValue.text(composed), .text(combined), .text(composed)]).count == 2)
    }

    @Test(arguments: [
        (DatabaseValue.integer(1), DatabaseType.bool, DatabaseValue.bool(true)),
        (.integer(0), .bool, .bool(false)),
        (.bool(true), .integer, .integer(1)),
        (.double(3), .integer, .integer(3)),
        (.text("-9223372036854775808"), .integer, .integer(.min)),
        (.double(0.1), .decimal, .decimal(ExactDecimal(unscaled: 1, scale: 1))),
        (.integer(12), .decimal, .decimal(12)),
        (.text("150.00"), .decimal, .decimal(ExactDecimal(unscaled: 15_000, scale: 2))),
        (.integer(2), .double, .double(2)),
        (.text("2023-12-08T14:02:36.28Z"), .timestamp, .timestamp(Timestamp(microseconds: 1_702_044_156_280_000))),
        (.text("{}"), .json, .json("{}")),
        (.integer(5), .json, .json("5")),
        (.integer(5), .text, .text("5")),
        (.null, .uuid, .null),
        (.bytes([1]), .bytes, .bytes([1])),
    ])
    func `A value is converted to another type`(
        _ value: DatabaseValue,
        _ type: DatabaseType,
        _ expected: DatabaseValue
    ) throws {
        #expect(try value.converted(to: type) == expected)
    }

    @Test(arguments: [
        (DatabaseValue.integer(2), DatabaseType.bool), (.text("yes"), .bool), (.double(1.5), .integer),
        (.text("secret-4711"), .integer), (.text("secret-4711"), .uuid), (.text("secret-4711"), .timestamp),
        (.integer(1 << 53 + 1), .double), (.text("secret-4711"), .bytes), (.double(.nan), .decimal),
    ])
    func `A value that does not fit is an error that does not show it`(_ value: DatabaseValue, _ type: DatabaseType) {
        let error = #expect(throws: DionysusError.self) { try value.converted(to: type) }
        #expect(error?.code == .typeMismatch)
        #expect(error.map { "\($0)".contains("4711") } == false)
    }
}
