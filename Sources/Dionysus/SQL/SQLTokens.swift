/// The tokens of an SQL text, without comments: enough to see which names are compared with which.
package struct SQLTokens: Sendable {
    package enum Token: Sendable, Hashable {
        /// A name or a keyword, in lower case unless it is quoted.
        case name(String)
        /// A text in quotes, or a number.
        case literal(String)
        /// Any other character, or an operator.
        case symbol(String)
    }

    package private(set) var tokens: [Token] = []

    package init(_ text: String) {
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            let start = index
            switch bytes[index] {
            case UInt8(ascii: " "), 9...13: index += 1
            case UInt8(ascii: "-") where bytes.dropFirst(index + 1).first == UInt8(ascii: "-"):
                index = bytes[index...].firstIndex(of: 10) ?? bytes.count
            case UInt8(ascii: "/") where bytes.dropFirst(index + 1).first == UInt8(ascii: "*"):
                index += 2
                while index < bytes.count, !bytes[..<index].hasEnd("*/") || index < start + 4 { index += 1 }
            case UInt8(ascii: "'"): tokens.append(.literal(Self.quoted(bytes, &index, by: UInt8(ascii: "'"))))
            case UInt8(ascii: "\""): tokens.append(.name(Self.quoted(bytes, &index, by: UInt8(ascii: "\""))))
            case UInt8(ascii: "`"): tokens.append(.name(Self.quoted(bytes, &index, by: UInt8(ascii: "`"))))
            case let byte where byte.isNameByte:
                while index < bytes.count, bytes[index].isNameByte { index += 1 }
                let word = String(decoding: bytes[start..<index], as: UTF8.self)
                tokens.append(byte.isDigit ? .literal(word) : .name(word.lowercased()))
            case let byte where byte.isOperatorByte:
                while index < bytes.count, bytes[index].isOperatorByte { index += 1 }
                tokens.append(.symbol(String(decoding: bytes[start..<index], as: UTF8.self)))
            default:
                index += 1
                tokens.append(.symbol(String(decoding: bytes[start..<index], as: UTF8.self)))
            }
        }
    }

    /// A quoted text without its quotes; a quote that is doubled stands for itself.
    private static func quoted(_ bytes: [UInt8], _ index: inout Int, by quote: UInt8) -> String {
        var text: [UInt8] = []
        index += 1
        while index < bytes.count {
            if bytes[index] == quote {
                guard bytes.dropFirst(index + 1).first == quote else { break }
                index += 1
            }
            text.append(bytes[index])
            index += 1
        }
        index += 1
        return String(decoding: text, as: UTF8.self)
    }

    /// Two columns that are compared, in either order and without regard to case.
    package struct Pair: Sendable, Hashable {
        private let columns: Set<String>

        package init(_ column: String, _ other: String) { columns = [column.lowercased(), other.lowercased()] }
    }

    /// How often two columns are compared by `=`, `IN (SELECT …)` or `USING` so that the comparison chooses rows.
    /// - Parameters:
    ///   - row: What the text calls the row that it is evaluated with: whether that is in a list depends on the rows of the list
    ///     that are equal to it, wherever the comparison stands.
    ///   - links: The columns by which rows belong to others.
    package func comparisons(of pair: Pair, row: String, links: Set<Pair>) -> Int {
        let own = tokens.indices.filter { index in
            comparison(index).map { links.contains(Pair($0, $1)) } == true && compares(index, row: row)
        }
        let conditions = SQLConditions(tokens, links: Set(own))
        return tokens.indices.count { index in
            guard let (left, right) = comparison(index), Pair(left, right) == pair else { return false }
            return isOfList(index, row: row) || tokens[index] == .name("using") || conditions.decides(index)
        }
    }

    /// Whether `=` compares a column of the given row, and is not negated.
    private func compares(_ index: Int, row: String) -> Bool {
        let row = Token.name(row.lowercased())
        let isLeft = index >= 3 && tokens[index - 3] == row && tokens[index - 2] == .symbol(".")
        let isRight = index + 2 < tokens.count && tokens[index + 1] == row && tokens[index + 2] == .symbol(".")
        // The left side is `column` or `table.column`.
        let start = index >= 2 && tokens[index - 2] == .symbol(".") ? index - 3 : index - 1
        let isNegated = start > 0 && tokens[start - 1] == .name("not")
        return (isLeft || isRight) && !isNegated && [.symbol("="), .symbol("==")].contains(tokens[index])
    }

    /// Whether a comparison looks for a column of the given row in a list: `rental.id IN (SELECT …)`.
    private func isOfList(_ index: Int, row: String) -> Bool {
        let isList =
            tokens[index] == .name("in")
            || (index + 1 < tokens.count && [.name("any"), .name("some")].contains(tokens[index + 1]))
        let end = index > 0 && tokens[index - 1] == .name("not") ? index - 1 : index
        guard isList, end >= 3 else { return false }
        return tokens[end - 2] == .symbol(".") && tokens[end - 3] == .name(row.lowercased())
    }

    /// How often a table is named, and not as a part of a column's name.
    package func references(to table: String) -> Int {
        let name = Token.name(table.lowercased())
        return tokens.indices.count { index in
            tokens[index] == name && (index + 1 == tokens.count || tokens[index + 1] != .symbol("."))
        }
    }

    /// The columns that a token compares.
    private func comparison(_ index: Int) -> (String, String)? {
        switch tokens[index] {
        case .symbol("="), .symbol("=="), .name("in"):
            guard index > 0, case .name(let left) = tokens[index - 1] else { return nil }
            // `NOT IN` compares as `IN` does.
            let isNegated = left == "not" && index > 1
            guard !isNegated else {
                guard case .name(let column) = tokens[index - 2], let right = reference(after: index) else {
                    return nil
                }
                return (column.lowercased(), right)
            }
            return reference(after: index).map { (left.lowercased(), $0) }
        case .name("using"): return usedColumn(after: index).map { ($0, $0) }
        default: return nil
        }
    }

    /// The last name of the column after a token: of `a.id`, `id`.
    private func reference(after index: Int) -> String? {
        var next = index + 1
        let skipped: Set<Token> = [
            .name("any"), .name("some"), .name("select"), .name("distinct"), .symbol("("),
        ]
        while next < tokens.count, skipped.contains(tokens[next]) { next += 1 }
        var last: String?
        while next < tokens.count, case .name(let name) = tokens[next] {
            last = name.lowercased()
            guard next + 1 < tokens.count, tokens[next + 1] == .symbol(".") else { break }
            next += 2
        }
        return last
    }

    private func usedColumn(after index: Int) -> String? {
        guard index + 2 < tokens.count, tokens[index + 1] == .symbol("("), case .name(let name) = tokens[index + 2]
        else {
            return nil
        }
        return name.lowercased()
    }
}

extension UInt8 {
    fileprivate var isNameByte: Bool {
        isDigit || (65...90).contains(self) || (97...122).contains(self) || self == UInt8(ascii: "_") || self >= 128
            || self == UInt8(ascii: "$")
    }

    fileprivate var isOperatorByte: Bool { "<>=!~|&+*/%@#^?-:".utf8.contains(self) }
}

extension ArraySlice<UInt8> {
    fileprivate func hasEnd(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
