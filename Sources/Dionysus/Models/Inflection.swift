/// How names become other names: model names to singulars, plurals and tables.
public struct Inflection: Sendable, Hashable {
    /// Plurals that follow no rule, by their singular: `["person": "people"]`.
    ///
    /// The last word of a name decides.
    public var irregulars: [String: String]

    /// Creates rules.
    /// - Parameter irregulars: Plurals that follow no rule, by their singular.
    public init(irregulars: [String: String] = [:]) {
        self.irregulars = ["person": "people", "man": "men", "woman": "women", "child": "children"]
            .merging(irregulars) { _, new in new }
    }

    /// `BookingsFee` and `bookingsFee` become `bookings_fee`, `accountID` becomes `account_id`.
    /// - Parameter name: A name in camel case.
    /// - Returns: The name in snake case.
    public static func underscored(_ name: String) -> String {
        let characters = Array(name)
        var result = ""
        for (index, character) in characters.enumerated() {
            if character.isUppercase, index > 0, characters[index - 1] != "_" {
                let previous = characters[index - 1]
                let next = index + 1 < characters.count ? characters[index + 1] : nil
                if !previous.isUppercase || next?.isLowercase == true { result += "_" }
            }
            result += character.lowercased()
        }
        return result
    }

    /// `bookings_fee` becomes `bookings_fees`.
    /// - Parameter singular: A singular in snake case.
    /// - Returns: Its plural.
    public func plural(of singular: String) -> String {
        let prefix: Substring
        let word: Substring
        if let separator = singular.lastIndex(of: "_") {
            prefix = singular[...separator]
            word = singular[singular.index(after: separator)...]
        } else {
            prefix = ""
            word = singular[...]
        }
        return prefix + plural(ofWord: String(word))
    }

    private func plural(ofWord word: String) -> String {
        if let irregular = irregulars[word] { return irregular }
        if ["equipment", "information", "money", "news", "series", "species", "sheep", "fish"].contains(word) {
            return word
        }
        if word.hasSuffix("sis") { return word.dropLast(2) + "es" }
        for ending in ["s", "x", "z", "ch", "sh"] where word.hasSuffix(ending) {
            return word.hasSuffix("s") && !word.hasSuffix("ss") && !word.hasSuffix("us") ? word : word + "es"
        }
        if word.hasSuffix("y"), let before = word.dropLast().last, !"aeiou".contains(before) {
            return word.dropLast() + "ies"
        }
        if word.hasSuffix("fe") { return word.dropLast(2) + "ves" }
        return word + "s"
    }

    /// `bookings_fee` becomes `BookingsFee`.
    /// - Parameter name: A name in snake case.
    /// - Returns: The name in camel case, beginning with a capital.
    public static func camelized(_ name: String) -> String {
        name.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// `bookings_fees` becomes `bookings_fee`: the inverse of ``plural(of:)`` for the words that English forms by rule.
    /// - Parameter plural: A plural in snake case.
    /// - Returns: Its singular.
    public func singular(of plural: String) -> String {
        guard let separator = plural.lastIndex(of: "_") else { return singular(ofWord: plural) }
        return plural[...separator] + singular(ofWord: String(plural[plural.index(after: separator)...]))
    }

    private func singular(ofWord word: String) -> String {
        if let irregular = irregulars.first(where: { $0.value == word }) { return irregular.key }
        // Several singulars share a plural: `houses`, `statuses`. The commoner endings come first, and the plural of
        // what is found has to lead back to the word.
        let endings = [
            ("ies", "y"), ("yses", "ysis"), ("ouses", "ouse"), ("auses", "ause"), ("uses", "us"), ("sses", "ss"),
            ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""), ("es", ""), ("ves", "fe"),
        ]
        for (ending, replacement) in endings where word.hasSuffix(ending) {
            let candidate = String(word.dropLast(ending.count)) + replacement
            if candidate != word, plural(ofWord: candidate) == word { return candidate }
        }
        return word
    }
}
