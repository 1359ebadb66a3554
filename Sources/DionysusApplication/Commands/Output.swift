import Dionysus

import class Foundation.FileHandle

/// Prints a report, text or JSON, to standard output; what it holds from outside can't control the terminal.
///
/// It stands in for Swift's own within this module, so that no command can forget it.
func print(_ report: String) { Swift.print(report.printable(keepingLines: true)) }

/// Prints to standard error: a line, or a line and a list of faults below it.
func printError(_ text: String) {
    let line =
        text.split(separator: listMark, omittingEmptySubsequences: false).map { String($0).printable() }
        .joined(separator: listMark) + "\n"
    FileHandle.standardError.write(Array(line.utf8).withUnsafeBufferPointer { .init(buffer: $0) })
}

/// What stands before each of several faults that are told in one error.
private let listMark = "\n  - "

/// Lays a table out in columns that are as wide as their widest cell.
///
/// What could control a terminal is written as an escape: `\\u001b`, and `\\n` for the end of a line.
public func tableText(_ header: [String], _ rows: [[String]]) -> String {
    let all = ([header] + rows).map { row in row.map { $0.printable() } }
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return
        all.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "  ").trimmedAtEnd
        }
        .joined(separator: "\n")
}

extension String {
    fileprivate var trimmedAtEnd: String { String(reversed().drop { $0 == " " }.reversed()) }
}
