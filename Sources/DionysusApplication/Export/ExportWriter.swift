import Dionysus

/// Collects the lines of an export and writes them in portions.
struct ExportWriter {
    /// How many bytes wait at most before they are written, but for one record's.
    private static let portion = 4 << 20

    private var directory: ExportDirectory
    private let name: String
    private let format: ExportFormat
    private let isByDay: Bool
    private let columns: [String]
    private var waiting: [String: ExportLines] = [:]
    private var waitingBytes = 0

    /// - Parameters:
    ///   - name: What the files are called, without their day and ending.
    ///   - columns: The columns of a table; JSON has its own names.
    init(_ directory: ExportDirectory, name: String, format: ExportFormat, byDay: Bool, columns: [String]) {
        self.directory = directory
        self.name = name
        self.format = format
        isByDay = byDay
        self.columns = columns
    }

    /// Adds a record.
    /// - Parameter time: The time that decides on the file; nil for records that have none.
    mutating func add(_ record: JSON, at time: Timestamp?) {
        let day = isByDay ? "-" + (time.map { String($0.iso8601(fractionDigits: 0).prefix(10)) } ?? "undated") : ""
        let line = format.line(record, columns)
        waiting["\(name)\(day).\(format.rawValue)", default: ExportLines()].add(line)
        waitingBytes += line.count
    }

    /// Writes what waits once it is enough.
    /// - Parameter position: How far the export is with everything that was added.
    mutating func reached(_ position: JSON, isEnd: Bool = false) throws {
        guard isEnd || waitingBytes >= Self.portion else { return }
        try directory.append(waiting, header: format.header(columns), position: position)
        waiting = [:]
        waitingBytes = 0
    }

    /// Finishes the export.
    /// - Returns: The manifest.
    func finish() throws -> JSON { try directory.finish() }
}
