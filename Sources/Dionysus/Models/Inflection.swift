/// How names become other names: model names to singulars, plurals and tables.
///
/// The rules are ActiveSupport's, so that a model has the same names here as in a Rails application. Own rules come
/// before them.
public struct Inflection: Sendable, Hashable {
    /// An ending, and what takes its place.
    public struct Ending: Sendable, Hashable {
        /// The ending of a word, in lower case; the letters of the word may be of either case.
        public var ending: String
        /// What takes its place.
        public var replacement: String

        /// Creates a rule.
        /// - Parameters:
        ///   - ending: The ending of a word, in lower case.
        public init(_ ending: String, _ replacement: String) {
            self.ending = ending
            self.replacement = replacement
        }
    }

    /// Plurals that follow no rule, by their singular: `["cactus": "cacti"]`.
    ///
    /// The end of a name decides: the plural of `green_cactus` is `green_cacti`. ActiveSupport's own are always there.
    public var irregulars: [String: String]
    /// Words that are their own plural, besides those that ActiveSupport has.
    ///
    /// The whole name decides.
    public var uncountables: Set<String> = []
    /// Words with capitals of their own, as they stand in a model's name: `HTML`, `RESTful`.
    ///
    /// With `HTML`, `my_html` belongs to a model `MyHTML` instead of `MyHtml`.
    public var acronyms: Set<String> = []
    /// Further endings of singulars and what they become in the plural, the strongest last.
    public var plurals: [Ending] = []
    /// Further endings of plurals and what they become in the singular, the strongest last.
    public var singulars: [Ending] = []

    /// Creates rules.
    /// - Parameter irregulars: Plurals that follow no rule, by their singular.
    public init(irregulars: [String: String] = [:]) { self.irregulars = irregulars }

    // MARK: Number

    /// `bookings_fee` becomes `bookings_fees`.
    /// - Returns: Its plural.
    public func plural(of singular: String) -> String {
        inflected(
            singular,
            own: plurals,
            irregular: InflectionRule.toPlural,
            InflectionRule.allPlurals
        )
    }

    /// `bookings_fees` becomes `bookings_fee`.
    ///
    /// It leads back from the plurals of most words, and from those that it doesn't, ActiveSupport doesn't either.
    /// - Returns: Its singular.
    public func singular(of plural: String) -> String {
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
        // The longer ones first: `woman` is more than `man`.
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

    /// Whether a word that is its own plural elsewhere has rules here.
    private func isCountable(_ word: String) -> Bool {
        irregulars.contains { $0.key == word || $0.value == word }
            || (plurals + singulars).contains { $0.ending == word || $0.replacement == word }
    }

    // MARK: Case

    /// `BookingsFee` and `bookingsFee` become `bookings_fee`, `accountID` becomes `account_id`, `Crm::Contact` becomes
    /// `crm_contact`.
    /// - Returns: The name in snake case.
    public static func underscored(_ name: String) -> String { Inflection().underscored(name) }

    /// `bookings_fee` becomes `BookingsFee`.
    /// - Returns: The name in camel case, beginning with a capital.
    public static func camelized(_ name: String) -> String { Inflection().camelized(name) }

    /// `BookingsFee` and `bookingsFee` become `bookings_fee`, `accountID` becomes `account_id`, `Crm::Contact` becomes
    /// `crm_contact`; with the acronym `RESTful`, `RESTfulRoute` becomes `restful_route`.
    /// - Returns: The name in snake case.
    public func underscored(_ name: String) -> String {
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

    /// Whether a name begins with one of the acronyms as a word of its own.
    private func begins(_ acronyms: [[UInt8]], _ name: ArraySlice<UInt8>) -> Bool {
        acronyms.contains { name.starts(with: $0) && name.dropFirst($0.count).first?.isSmall != true }
    }

    /// The name with its acronyms in lower case, and a separator before those that stand behind a letter or a digit.
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
            // What follows begins a word of its own.
            if index < name.count, name[index].isCapital, !begins(longestFirst, name[index...]) {
                result.append(UInt8(ascii: "_"))
            }
        }
        return result
    }

    /// `bookings_fee` becomes `BookingsFee`; with the acronym `HTML`, `my_html` becomes `MyHTML`.
    /// - Returns: The name in camel case, beginning with a capital.
    public func camelized(_ name: String) -> String {
        let known = Dictionary(acronyms.map { ($0.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
        return name.split(separator: "_")
            .map { part in known[part.lowercased()] ?? part.prefix(1).uppercased() + part.dropFirst() }
            .joined()
    }
}
