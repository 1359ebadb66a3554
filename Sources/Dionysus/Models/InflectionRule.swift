/// A rule for the end of a word, as in ActiveSupport: what it drops and what it adds.
struct InflectionRule: Sendable {
    /// What must precede the ending.
    enum Before: Sendable {
        case anything
        /// Nothing: the ending must be the whole word.
        case nothing
        /// A letter that is neither a vowel nor `y`, or `qu`.
        case consonant
        /// Anything except `f`.
        case notF
    }

    private let endings: [[UInt8]]
    private let before: Before
    private let dropped: Int
    private let added: [UInt8]

    init(_ endings: [String], _ before: Before = .anything, drop dropped: Int, add added: String) {
        self.endings = endings.map { Array($0.utf8) }
        self.before = before
        self.dropped = dropped
        self.added = Array(added.utf8)
    }

    /// A rule that replaces an ending and keeps the letters that both have.
    init(_ ending: String, to replacement: String) {
        let (old, new) = (Array(ending.utf8), Array(replacement.utf8))
        let common = zip(old, new).prefix { $0 == $1 }.count
        endings = [old]
        before = .anything
        dropped = old.count - common
        added = Array(new.dropFirst(common))
    }

    /// The converted word; nil if the rule doesn't apply.
    func applied(to word: [UInt8]) -> String? {
        guard endings.contains(where: { word.endsAlike($0) && precedes(word.dropLast($0.count)) }) else { return nil }
        return String(decoding: word.dropLast(dropped) + added, as: UTF8.self)
    }

    private func precedes(_ rest: ArraySlice<UInt8>) -> Bool {
        switch before {
        case .anything: return true
        case .nothing: return rest.isEmpty
        case .notF: return rest.last.map { $0.lowered != UInt8(ascii: "f") } ?? false
        case .consonant:
            guard let last = rest.last?.lowered else { return false }
            return !"aeiouy".utf8.contains(last) || Array(rest).endsAlike(Array("qu".utf8))
        }
    }

    /// Words that are their own plural, as text and as bytes.
    static let uncountables: [(text: String, bytes: [UInt8])] =
        ["equipment", "information", "rice", "money", "species", "series", "fish", "sheep", "jeans", "police"]
        .map { ($0, Array($0.utf8)) }

    /// An irregular plural.
    typealias Irregular = (singular: String, plural: String)

    /// The rules that produce an irregular plural, and keep it.
    static func toPlural(_ pair: Irregular) -> [InflectionRule] {
        [InflectionRule(pair.plural, to: pair.plural), InflectionRule(pair.singular, to: pair.plural)]
    }

    /// The rules that produce an irregular singular, and keep it.
    static func toSingular(_ pair: Irregular) -> [InflectionRule] {
        [InflectionRule(pair.plural, to: pair.singular), InflectionRule(pair.singular, to: pair.singular)]
    }

    // Every message has names, so the rules are built only once.
    static let allPlurals = irregulars.flatMap(toPlural) + plurals
    static let allSingulars = irregulars.flatMap(toSingular) + singulars

    /// The highest precedence first.
    static let irregulars: [Irregular] = [
        ("zombie", "zombies"), ("move", "moves"), ("sex", "sexes"), ("child", "children"), ("man", "men"),
        ("person", "people"),
    ]

    /// The highest precedence first.
    static let plurals: [InflectionRule] = [
        InflectionRule(["quiz"], drop: 0, add: "zes"),
        InflectionRule(["oxen"], .nothing, drop: 0, add: ""),
        InflectionRule(["ox"], .nothing, drop: 0, add: "en"),
        InflectionRule(["mice", "lice"], .nothing, drop: 0, add: ""),
        InflectionRule(["mouse", "louse"], .nothing, drop: 4, add: "ice"),
        InflectionRule(["matrix", "matrex", "vertix", "vertex", "indix", "index"], drop: 2, add: "ices"),
        InflectionRule(["x", "ch", "ss", "sh"], drop: 0, add: "es"),
        InflectionRule(["y"], .consonant, drop: 1, add: "ies"),
        InflectionRule(["hive"], drop: 0, add: "s"),
        InflectionRule(["fe"], .notF, drop: 2, add: "ves"),
        InflectionRule(["lf", "rf"], drop: 1, add: "ves"),
        InflectionRule(["sis"], drop: 3, add: "ses"),
        InflectionRule(["ta", "ia"], drop: 0, add: ""),
        InflectionRule(["tum", "ium"], drop: 2, add: "a"),
        InflectionRule(["buffalo", "tomato"], drop: 0, add: "es"),
        InflectionRule(["bus"], drop: 1, add: "ses"),
        InflectionRule(["alias", "status"], drop: 0, add: "es"),
        InflectionRule(["octopi", "viri"], drop: 0, add: ""),
        InflectionRule(["octopus", "virus"], drop: 2, add: "i"),
        InflectionRule(["axis", "testis"], .nothing, drop: 2, add: "es"),
        InflectionRule(["s"], drop: 0, add: ""),
        InflectionRule([""], drop: 0, add: "s"),
    ]

    /// The highest precedence first.
    static let singulars: [InflectionRule] = [
        InflectionRule(["databases"], drop: 1, add: ""),
        InflectionRule(["quizzes"], drop: 3, add: ""),
        InflectionRule(["matrices"], drop: 4, add: "ix"),
        InflectionRule(["vertices", "indices"], drop: 4, add: "ex"),
        InflectionRule(["oxen"], .nothing, drop: 2, add: ""),
        InflectionRule(["aliases", "statuses"], drop: 2, add: ""),
        InflectionRule(["alias", "status"], drop: 0, add: ""),
        InflectionRule(["octopi", "viri"], drop: 1, add: "us"),
        InflectionRule(["octopus", "virus"], drop: 0, add: ""),
        InflectionRule(["axis", "axes"], .nothing, drop: 2, add: "is"),
        InflectionRule(["crisis", "testis", "crises", "testes"], drop: 2, add: "is"),
        InflectionRule(["shoes"], drop: 1, add: ""),
        InflectionRule(["oes"], drop: 2, add: ""),
        InflectionRule(["buses"], drop: 2, add: ""),
        InflectionRule(["bus"], drop: 0, add: ""),
        InflectionRule(["mice", "lice"], .nothing, drop: 3, add: "ouse"),
        InflectionRule(["xes", "ches", "sses", "shes"], drop: 2, add: ""),
        InflectionRule(["movies"], drop: 1, add: ""),
        InflectionRule(["series"], drop: 0, add: ""),
        InflectionRule(["ies"], .consonant, drop: 3, add: "y"),
        InflectionRule(["lves", "rves"], drop: 3, add: "f"),
        InflectionRule(["tives"], drop: 1, add: ""),
        InflectionRule(["hives"], drop: 1, add: ""),
        InflectionRule(["ves"], .notF, drop: 3, add: "fe"),
        InflectionRule(
            ["analy", "ba", "diagno", "parenthe", "progno", "synop", "the"].flatMap { [$0 + "sis", $0 + "ses"] },
            drop: 3,
            add: "sis"
        ),
        InflectionRule(["ta", "ia"], drop: 1, add: "um"),
        InflectionRule(["news"], drop: 0, add: ""),
        InflectionRule(["ss"], drop: 0, add: ""),
        InflectionRule(["s"], drop: 1, add: ""),
    ]
}

extension [UInt8] {
    /// Whether the word ends with a lower-case ending, ignoring case.
    func endsAlike(_ ending: [UInt8]) -> Bool {
        count >= ending.count && zip(suffix(ending.count), ending).allSatisfy { $0.lowered == $1 }
    }

    /// Whether the word's last part is a lower-case word, ignoring case.
    func endsAsWord(_ word: [UInt8]) -> Bool {
        endsAlike(word) && !(dropLast(word.count).last?.isOfWord ?? false)
    }
}

extension UInt8 {
    var isCapital: Bool { self &- UInt8(ascii: "A") < 26 }
    var isSmall: Bool { self &- UInt8(ascii: "a") < 26 }
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
    var isLetterOrDigit: Bool { isCapital || isSmall || isDigit }
    var isOfWord: Bool { isLetterOrDigit || self == UInt8(ascii: "_") }
    var lowered: UInt8 { isCapital ? self | 0x20 : self }
}
