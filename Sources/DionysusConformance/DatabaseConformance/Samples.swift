import Dionysus
import Foundation

/// Values of a type with which databases may have trouble: extremes, empty values, and text that looks like SQL.
struct Samples: Sendable {
    let type: DatabaseType
    let column: ColumnType
    let values: [DatabaseValue]

    static let all: [Samples] = [
        Samples(type: .bool, column: .boolean, values: [.bool(true), .bool(false)]),
        Samples(
            type: .integer,
            column: .bigint,
            values: [0, 1, -1, .min, .max, 1 << 53 + 1, -(1 << 53) - 1].map(DatabaseValue.integer)
        ),
        Samples(
            type: .double,
            column: .double,
            values: [
                0, 0.1, -1.5, 1.0 / 3, .pi, 1e15, 1e22, 123_456_789.012345, 1e300, -1e-300, 5,
                .greatestFiniteMagnitude, .leastNormalMagnitude,
            ]
            .map(DatabaseValue.double)
        ),
        Samples(
            type: .decimal,
            column: .decimal(precision: 15, scale: 4),
            values: ["0", "0.0001", "-0.0001", "123.45", "150.00", "99999999999.9999", "-99999999999.9999"]
                .compactMap { ExactDecimal($0) }.map(DatabaseValue.decimal)
        ),
        Samples(type: .text, column: .text, values: hostileTexts.map(DatabaseValue.text)),
        Samples(
            type: .timestamp,
            column: .timestamp,
            values: [
                "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z",
                "1873-05-17T12:30:00.000001Z", "2023-12-08T14:02:36.28Z", "9999-12-31T23:59:59.999999Z",
            ]
            .compactMap { Timestamp($0) }.map(DatabaseValue.timestamp)
        ),
        Samples(
            type: .uuid,
            column: .uuid,
            values: [
                "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "0189dcd5-5311-7d40-8db0-9496a2eef37b",
            ]
            .compactMap { UUID(uuidString: $0) }.map(DatabaseValue.uuid)
        ),
        Samples(
            type: .json,
            column: .json,
            values: [
                "{}", "[]", "null", "true", "0", #""text""#, #"{"a":[1,2.50,null,"ü\"\\\n"],"b":{"c":{}}}"#,
                "[9223372036854775807,-0.000000000000000000001]",
            ]
            .map(DatabaseValue.json)
        ),
        Samples(
            type: .bytes,
            column: .bytes,
            values: [[], [0], Array(0...255), Array("\\x41 'text'".utf8)].map(DatabaseValue.bytes)
        ),
    ]

    static let hostileTexts = [
        "", " ", "NULL", "null", "'", "\"", "''; DROP TABLE rentals; --", "\\", "\\'", "\\\\x41", "{}", "{a,\"b\"}",
        ",",
        "$1", "?1", "%s", "a\tb\nc\r", "\u{1}\u{7f}", "München €", "日本語", "👩‍👩‍👧", "e\u{301}", "\u{feff}bom",
        String(repeating: "x", count: 100_000),
    ]

    /// A returned value in comparable form: JSON by its content, because some databases reformat it.
    static func comparable(_ value: DatabaseValue, as type: DatabaseType) throws -> DatabaseValue {
        let value = try value.converted(to: type)
        guard case .json(let text) = value else { return value }
        return .json(try JSON(parsing: Array(text.utf8)).text)
    }
}
