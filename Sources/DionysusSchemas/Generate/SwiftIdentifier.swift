extension String {
    /// The name as an identifier of Swift; words that Swift keeps for itself stand in backticks.
    package var swiftIdentifier: String {
        var name = String(map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "_" })
        if name.first?.isNumber ?? true { name = "_" + name }
        return Self.keywords.contains(name) ? "`\(name)`" : name
    }

    /// The name of a column or field as that of a property: `synced_account_id` as `syncedAccountID`.
    package var swiftPropertyName: String {
        let words = split { $0 == "_" || $0 == "-" }.map(String.init)
        guard let first = words.first else { return self }
        let start =
            first.contains(where: \.isLowercase) ? first.prefix(1).lowercased() + first.dropFirst() : first.lowercased()
        return start
            + words.dropFirst()
            .map { word in
                switch word {
                case "id", "url", "uuid": word.uppercased()
                case "ids": "IDs"
                default:
                    word.contains(where: \.isLowercase)
                        ? word.prefix(1).uppercased() + word.dropFirst()
                        : word.prefix(1).uppercased() + word.dropFirst().lowercased()
                }
            }
            .joined()
    }

    private static let keywords: Set<String> = [
        "Any", "Self", "Type", "as", "associatedtype", "break", "case", "catch", "class", "continue", "default",
        "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func",
        "guard", "if", "import", "in", "init", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup",
        "private", "protocol", "public", "repeat", "rethrows", "return", "self", "static", "struct", "subscript",
        "super", "switch", "throw", "throws", "true", "try", "typealias", "var", "where", "while",
    ]
}
