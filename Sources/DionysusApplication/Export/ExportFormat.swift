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

    private static func quoted(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
