import ArgumentParser
import Dionysus

/// How the records of an export are written.
enum ExportFormat: String, ExpressibleByArgument, CaseIterable {
    /// A line of JSON for each.
    case jsonl
    /// A line of values for each, after a line with the columns' names; RFC 4180, with line feeds.
    case csv

    /// What every file begins with.
    func header(_ columns: [String]) -> [UInt8] {
        switch self {
        case .jsonl: []
        case .csv: Self.line(columns.map(Self.quoted))
        }
    }

    /// A record's line.
    func line(_ record: JSON, _ columns: [String]) -> [UInt8] {
        switch self {
        case .jsonl: record.bytes + [UInt8(ascii: "\n")]
        case .csv: Self.line(columns.map { Self.field(record[$0] ?? .null) })
        }
    }

    private static func line(_ fields: [String]) -> [UInt8] { Array((fields.joined(separator: ",") + "\n").utf8) }

    /// Null is nothing, and an empty text is a pair of quotation marks.
    private static func field(_ value: JSON) -> String {
        switch value {
        case .null: ""
        case .string(let text): text.isEmpty ? "\"\"" : quoted(text)
        default: quoted(value.text)
        }
    }

    /// It looks at bytes, because a mark that combines with a comma makes another character of it.
    private static func quoted(_ text: String) -> String {
        let bytes = text.utf8
        guard bytes.contains(where: { [0x0a, 0x0d, 0x22, 0x2c].contains($0) }) else { return text }
        let quote = UInt8(ascii: "\"")
        let escaped = bytes.flatMap { $0 == quote ? [quote, quote] : [$0] }
        return String(decoding: [quote] + escaped + [quote], as: UTF8.self)
    }
}
