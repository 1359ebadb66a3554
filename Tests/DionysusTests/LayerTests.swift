import Foundation
import Testing

/// The folders of a target are layers: code uses only folders that precede its own in `docs/architecture.md`.
struct LayerTests {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized
    private static let page = "docs/architecture.md"

    /// The page's content.
    struct Plan {
        /// The folders of each target, lowest first; a dot is the target's own directory.
        var orders: [String: [String]] = [:]
        /// Permitted exceptions: `Target: From → To`.
        var exceptions: Set<String> = []

        init(_ page: String) {
            for line in page.split(separator: "\n") where line.hasPrefix("|") {
                let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
                guard cells.count >= 2, cells[0].hasPrefix("`") else { continue }
                let target = cells[0].trimmingCharacters(in: ["`"])
                let arrow = cells[1].split(separator: " → ").map { $0.trimmingCharacters(in: ["`", " "]) }
                if cells.count == 3, arrow.count == 2 {
                    exceptions.insert("\(target): \(arrow[0]) → \(arrow[1])")
                } else if cells.count == 2, arrow.count > 1 {
                    orders[target] = arrow
                }
            }
        }
    }

    @Test func `no file uses a folder above its own`() throws {
        let plan = Plan(try String(contentsOf: Self.root.appending(path: Self.page), encoding: .utf8))
        #expect(plan.orders.count >= 4)
        #expect(plan.exceptions.count <= 10)
        var unused = plan.exceptions
        for (target, order) in plan.orders.sorted(by: { $0.key < $1.key }) {
            let sources = try Sources(of: target, in: Self.root)
            #expect(sources.folders.subtracting(order).isEmpty, "\(target) has folders that \(Self.page) doesn't name")
            #expect(Set(order).subtracting(sources.folders).isEmpty, "\(Self.page) names folders that \(target) lacks")
            for use in sources.uses {
                guard let from = order.firstIndex(of: use.from), let to = order.firstIndex(of: use.to), from < to else {
                    continue
                }
                let arrow = "\(target): \(use.from) → \(use.to)"
                unused.remove(arrow)
                #expect(plan.exceptions.contains(arrow), "\(arrow): \(use.file) uses \(use.type)")
            }
        }
        #expect(unused.isEmpty, "exceptions that nothing needs")
    }
}

/// The types that a target's files declare, and the types of other folders that they use.
private struct Sources {
    struct Use {
        var file: String
        var from: String
        var type: String
        var to: String
    }

    private(set) var folders: Set<String> = []
    private(set) var uses: [Use] = []

    init(of target: String, in root: URL) throws {
        let base = root.appending(path: "Sources/\(target)")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: base.path).filter { $0.hasSuffix(".swift") }
        var homes: [String: String] = [:]
        var files: [(path: String, folder: String, words: Words)] = []
        for path in paths.sorted() {
            let folder = path.contains("/") ? String(path.prefix { $0 != "/" }) : "."
            let words = Words(try Data(contentsOf: base.appending(path: path)))
            folders.insert(folder)
            for type in words.declared { homes[type] = folder }
            files.append((path, folder, words))
        }
        for file in files {
            for type in file.words.used.subtracting(file.words.nested).sorted() {
                guard let home = homes[type], home != file.folder else { continue }
                uses.append(Use(file: file.path, from: file.folder, type: type, to: home))
            }
        }
    }
}

/// The words in a Swift file that may name types, without comments and string literals.
private struct Words {
    /// The top-level types that are visible in other files.
    private(set) var declared: Set<String> = []
    /// The nested types and those private to the file.
    private(set) var nested: Set<String> = []
    /// The capitalized words that don't follow a dot.
    private(set) var used: Set<String> = []

    private static let kinds: Set<String> = ["struct", "class", "enum", "actor", "protocol", "typealias"]

    init(_ data: Data) {
        let text = Array(data)
        var (line, isIndented) = ([String](), false)
        var index = 0
        func byte(_ at: Int) -> UInt8 { at < text.count ? text[at] : 0 }
        while index < text.count {
            let character = text[index]
            if character == UInt8(ascii: "\n") {
                (line, isIndented) = ([], false)
                index += 1
            } else if character == UInt8(ascii: "/"), byte(index + 1) == UInt8(ascii: "/") {
                while index < text.count, text[index] != UInt8(ascii: "\n") { index += 1 }
            } else if character == UInt8(ascii: "\"") {
                index = Self.endOfLiteral(text, index)
            } else if Self.isLetter(character) {
                let start = index
                while Self.isLetter(byte(index)) || (48...57).contains(byte(index)) { index += 1 }
                let word = String(decoding: text[start..<index], as: UTF8.self)
                if let kind = line.last, Self.kinds.contains(kind) {
                    let isOpen = !isIndented && !line.contains("private") && !line.contains("fileprivate")
                    if isOpen { declared.insert(word) } else { nested.insert(word) }
                }
                line.append(word)
                if (65...90).contains(character), start == 0 || text[start - 1] != UInt8(ascii: ".") {
                    used.insert(word)
                }
            } else {
                if character == UInt8(ascii: " "), line.isEmpty { isIndented = true }
                index += 1
            }
        }
    }

    /// The position after a string literal, whose interpolations count as part of it.
    private static func endOfLiteral(_ text: [UInt8], _ start: Int) -> Int {
        let quote = UInt8(ascii: "\"")
        let isLong = start + 2 < text.count && text[start + 1] == quote && text[start + 2] == quote
        var index = start + (isLong ? 3 : 1)
        while index < text.count {
            if text[index] == UInt8(ascii: "\\") {
                index += 2
            } else if text[index] == quote {
                guard isLong else { return index + 1 }
                if index + 2 < text.count, text[index + 1] == quote, text[index + 2] == quote { return index + 3 }
                index += 1
            } else if text[index] == UInt8(ascii: "\n"), !isLong {
                return index
            } else {
                index += 1
            }
        }
        return index
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
    }
}
