/// Rules that convert names: between model names, singulars, plurals and tables.
///
/// The rules are ActiveSupport's, so a model has the same names as in a Rails application. Custom rules take
/// precedence.
public struct Inflection: Sendable, Hashable {
    /// An ending and its replacement.
    public struct Ending: Sendable, Hashable {
        /// The ending of a word, in lower case; it matches either case.
        package var ending: String
        /// The replacement.
        package var replacement: String

        /// Creates a rule.
        /// - Parameters:
        ///   - ending: The ending of a word, in lower case.
        ///   - replacement: The ending that takes its place.
        public init(_ ending: String, _ replacement: String) {
            self.ending = ending
            self.replacement = replacement
        }
    }

    /// Irregular plurals by their singular: `["cactus": "cacti"]`.
    ///
    /// They match the end of a name: the plural of `green_cactus` is `green_cacti`. ActiveSupport's own always apply.
    public var irregulars: [String: String]
    /// Words that are their own plural, in addition to ActiveSupport's.
    ///
    /// They match the whole name.
    public var uncountables: Set<String> = []
    /// Words with special capitals, as written in a model's name: `HTML`, `RESTful`.
    ///
    /// With `HTML`, `my_html` is the model `MyHTML` instead of `MyHtml`.
    public var acronyms: Set<String> = []
    /// Additional rules from singular to plural; later ones take precedence.
    public var plurals: [Ending] = []
    /// Additional rules from plural to singular; later ones take precedence.
    public var singulars: [Ending] = []

    /// Creates rules.
    /// - Parameter irregulars: Irregular plurals by their singular.
    public init(irregulars: [String: String] = [:]) { self.irregulars = irregulars }

    // MARK: Number

    /// `bookings_fee` becomes `bookings_fees`.
    /// - Returns: Its plural.
    package func plural(of singular: String) -> String {
        inflected(
            singular,
            own: plurals,
            irregular: InflectionRule.toPlural,
            InflectionRule.allPlurals
        )
    }

    /// `bookings_fees` becomes `bookings_fee`.
    ///
    /// It inverts the plural of most words; where it doesn't, neither does ActiveSupport.
    /// - Returns: Its singular.
    package func singular(of plural: String) -> String {
        inflected(
            plural,
            own: singulars,
            irregular: InflectionRule.toSingular,
            InflectionRule.allSingulars
        )
    }

    private func inflected(
        _ name: String,
        own: [Ending],
        irregular: (InflectionRule.Irregular) -> [InflectionRule],
        _ rules: [InflectionRule]
    ) -> String {
        let word = Array(name.utf8)
        if word.isEmpty || isUncountable(word) { return name }
        for ending in own.reversed() {
            if let result = InflectionRule(ending.ending, to: ending.replacement).applied(to: word) { return result }
        }
        // Longer ones first: `woman` before `man`.
        for (singular, plural) in irregulars.sorted(by: { ($0.key.utf8.count, $0.key) > ($1.key.utf8.count, $1.key) }) {
            for rule in irregular((singular, plural)) {
                if let result = rule.applied(to: word) { return result }
            }
        }
        for rule in rules {
            if let result = rule.applied(to: word) { return result }
        }
        return name
    }

    private func isUncountable(_ word: [UInt8]) -> Bool {
        InflectionRule.uncountables.contains { word.endsAsWord($0.bytes) && !isCountable($0.text) }
            || uncountables.contains { word.endsAsWord(Array($0.utf8)) }
    }

    /// Whether custom rules cover a word that is otherwise its own plural.
    private func isCountable(_ word: String) -> Bool {
        irregulars.contains { $0.key == word || $0.value == word }
            || (plurals + singulars).contains { $0.ending == word || $0.replacement == word }
    }

    // MARK: Case

    /// `BookingsFee` and `bookingsFee` become `bookings_fee`, `accountID` becomes `account_id`, `Crm::Contact` becomes
    /// `crm_contact`.
    /// - Returns: The name in snake case.
    package static func underscored(_ name: String) -> String { Inflection().underscored(name) }

    /// `bookings_fee` becomes `BookingsFee`.
    /// - Returns: The name in camel case, beginning with a capital.
    package static func camelized(_ name: String) -> String { Inflection().camelized(name) }

    /// `BookingsFee` and `bookingsFee` become `bookings_fee`, `accountID` becomes `account_id`, `Crm::Contact` becomes
    /// `crm_contact`; with the acronym `RESTful`, `RESTfulRoute` becomes `restful_route`.
    /// - Returns: The name in snake case.
    package func underscored(_ name: String) -> String {
        let characters = acronyms.isEmpty ? Array(name.utf8) : withoutAcronyms(Array(name.utf8))
        var result: [UInt8] = []
        result.reserveCapacity(characters.count + 4)
        var index = 0
        while index < characters.count {
            let character = characters[index]
            if character == UInt8(ascii: ":"), index + 1 < characters.count, characters[index + 1] == character {
                result.append(UInt8(ascii: "_"))
                index += 2
                continue
            }
            if character.isCapital, index > 0 {
                let previous = characters[index - 1]
                let isFollowedBySmall = index + 1 < characters.count && characters[index + 1].isSmall
                if previous.isSmall || previous.isDigit || previous.isCapital && isFollowedBySmall {
                    result.append(UInt8(ascii: "_"))
                }
            }
            result.append(character == UInt8(ascii: "-") ? UInt8(ascii: "_") : character)
            index += 1
        }
        return String(decoding: result, as: UTF8.self).lowercased()
    }

    /// Whether a name begins with one of the acronyms as a separate word.
    private func begins(_ acronyms: [[UInt8]], _ name: ArraySlice<UInt8>) -> Bool {
        acronyms.contains { name.starts(with: $0) && name.dropFirst($0.count).first?.isSmall != true }
    }

    /// The name with its acronyms in lower case, and a separator before those that follow a letter or a digit.
    private func withoutAcronyms(_ name: [UInt8]) -> [UInt8] {
        let longestFirst = acronyms.map { Array($0.utf8) }.sorted { $0.count > $1.count }
        var result: [UInt8] = []
        var index = 0
        while index < name.count {
            let isBegin = index == 0 || !name[index - 1].isOfWord || name[index - 1].isLetterOrDigit
            let found = longestFirst.first { acronym in
                guard isBegin, name[index...].starts(with: acronym) else { return false }
                let end = index + acronym.count
                return end == name.count || !name[end].isSmall
            }
            guard let found, !found.isEmpty else {
                result.append(name[index])
                index += 1
                continue
            }
            if index > 0, name[index - 1].isLetterOrDigit { result.append(UInt8(ascii: "_")) }
            result += found.map(\.lowered)
            index += found.count
            // The rest begins a new word.
            if index < name.count, name[index].isCapital, !begins(longestFirst, name[index...]) {
                result.append(UInt8(ascii: "_"))
            }
        }
        return result
    }

    /// `bookings_fee` becomes `BookingsFee`; with the acronym `HTML`, `my_html` becomes `MyHTML`.
    /// - Returns: The name in camel case, beginning with a capital.
    package func camelized(_ name: String) -> String {
        let known = Dictionary(acronyms.map { ($0.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
        return name.split(separator: "_")
            .map { part in known[part.lowercased()] ?? part.prefix(1).uppercased() + part.dropFirst() }
            .joined()
    }
}
