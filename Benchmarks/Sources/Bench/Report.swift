import Foundation

/// The table of a run, with what somebody needs who wants to run it again.
struct Report {
    let rows: [Measurement]
    let runs: Int

    static func table(_ rows: [Measurement]) -> String {
        let lines = rows.map { row in
            "| \(row.name) | \(row.figure.name) | \(number(row.median)) | \(number(row.minimum)) | \(number(row.maximum)) | \(row.figure.unit) |"
        }
        return (["| benchmark | figure | median | min | max | unit |", "|---|---|---|---|---|---|"] + lines)
            .joined(separator: "\n")
    }

    private static func number(_ value: Double) -> String {
        value >= 1_000 ? "\(Int(value.rounded()))" : String(format: "%.2f", value)
    }

    private static let start = "<!-- table: begin -->"
    private static let end = "<!-- table: end -->"

    /// Replaces what stands between the markers of a file.
    func write(to path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let from = text.range(of: Self.start), let to = text.range(of: Self.end) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        let new = """
            \(text[..<from.upperBound])

            \(Self.machine), medians of \(runs) runs, \(Self.day):

            \(Self.table(rows))

            \(text[to.lowerBound...])
            """
        try new.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private static var day: String { Date.now.formatted(.iso8601.year().month().day()) }

    private static var machine: String {
        let information = ProcessInfo.processInfo
        let memory = information.physicalMemory / 1_073_741_824
        return "\(information.activeProcessorCount) cores, \(memory) GiB, \(information.operatingSystemVersionString)"
    }
}
