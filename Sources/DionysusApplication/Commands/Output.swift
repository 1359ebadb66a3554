import Dionysus

package import struct Foundation.Data
package import class Foundation.FileHandle
package import struct Foundation.URL

/// Prints a report, text or JSON, to standard output, with control characters escaped.
///
/// It shadows Swift's `print` in this module, so that no command can forget to escape.
func print(_ report: String) { Swift.print(report.printable(keepingLines: true)) }

/// Prints a line to standard error, optionally followed by a list of faults.
func printError(_ text: String) {
    let line =
        text.split(separator: listMark, omittingEmptySubsequences: false).map { String($0).printable() }
        .joined(separator: listMark) + "\n"
    FileHandle.standardError.write(Array(line.utf8).withUnsafeBufferPointer { .init(buffer: $0) })
}

/// Writes a command's result to a file, all of it or nothing.
/// - Parameters:
///   - subject: What is written, as the error calls it: `the contract`.
/// - Throws: ``DionysusError`` with code `configuration` if it can't be written there.
package func writeFile(_ data: Data, _ subject: String, to path: String) throws {
    do {
        try data.write(to: URL(filePath: path), options: .atomic)
    } catch {
        throw DionysusError(
            .configuration,
            "\(subject) can't be written to \(path): \(error.localizedDescription)",
            advice: "check that the directory exists and is writable"
        )
    }
}

/// The prefix of each fault in an error with several faults.
private let listMark = "\n  - "

/// Formats a table with columns as wide as their widest cell.
///
/// Control characters are written as escapes: `\\u001b`, and `\\n` for a line break.
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
