import class Foundation.FileHandle

/// Prints to standard error.
func printError(_ text: String) {
    FileHandle.standardError.write(Array((text + "\n").utf8).withUnsafeBufferPointer { .init(buffer: $0) })
}

/// Lays a table out in columns that are as wide as their widest cell.
public func tableText(_ header: [String], _ rows: [[String]]) -> String {
    let all = [header] + rows
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
