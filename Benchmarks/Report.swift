import Dionysus
import Foundation

/// The table of a run, with the information needed to repeat it.
struct Report {
    let rows: [Measurement]
    let machine: Machine
    let versions: Versions

    /// The table, preceded by a line about the machine and the versions.
    var text: String { "\(machine); \(versions); \(day):\n\n\(table)" }

    private var table: String {
        let head = [
            "| benchmark | figure | median | min | max | runs | unit | of its floor | to reach | reached |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        let lines = rows.map { row in
            [
                row.benchmark, row.figure.name, number(row.median), number(row.minimum), number(row.maximum),
                "\(row.samples.count)", row.figure.unit, row.ratio.map(percent) ?? "",
                row.figure.targets.map(text).joined(separator: ", "),
                row.isReached.map { $0 ? "yes" : "no" } ?? "",
            ]
            .reduce("|") { "\($0) \($1) |" }
        }
        return (head + lines).joined(separator: "\n")
    }

    private func text(_ target: Target) -> String {
        switch target {
        case .atLeast(let value): "≥ \(number(value))"
        case .atMost(let value): "≤ \(number(value))"
        case .atLeastOfFloor(let share): "≥ \(percent(share))"
        }
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() || value >= 1_000 ? "\(Int(value.rounded()))" : String(format: "%.2f", value)
    }

    private func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }

    private var day: String { Date.now.formatted(.iso8601.year().month().day()) }

    // MARK: JSON

    /// The report as JSON.
    var json: JSON {
        .object([
            "date": .string(day), "machine": machine.json, "versions": versions.json,
            "figures": .array(rows.map(json)),
        ])
    }

    private func json(_ row: Measurement) -> JSON {
        .object([
            "benchmark": .string(row.benchmark), "figure": .string(row.figure.name), "unit": .string(row.figure.unit),
            "median": json(row.median), "min": json(row.minimum), "max": json(row.maximum),
            "runs": .number("\(row.samples.count)"),
            "of_floor": row.ratio.map(json) ?? .null,
            "to_reach": .array(row.figure.targets.map { .string(text($0)) }),
            "reached": row.isReached.map { .bool($0) } ?? .null,
        ])
    }

    private func json(_ value: Double) -> JSON { value.isFinite ? .number("\(value)") : .null }

    // MARK: File

    private static let start = "<!-- table: begin -->"
    private static let end = "<!-- table: end -->"

    /// Replaces the text between the markers of a file.
    func write(to path: String) throws {
        let content = try String(contentsOfFile: path, encoding: .utf8)
        guard let from = content.range(of: Self.start), let to = content.range(of: Self.end) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        let new = "\(content[..<from.upperBound])\n\n\(text)\n\n\(content[to.lowerBound...])"
        try new.write(toFile: path, atomically: true, encoding: .utf8)
    }
}
