import Dionysus
import Testing

@Suite struct InflectionTests {
    private static func lines(_ table: String, _ columns: Int) -> [[String]] {
        table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }.filter { $0.count == columns }
    }

    private static let words = lines(InflectionTable.words, 5)
    private static let names = lines(InflectionTable.names, 4)

    @Test func `words have ActiveSupport's plurals and singulars`() {
        #expect(Self.words.count > 350)
        for line in Self.words {
            #expect(Inflection().plural(of: line[0]) == line[1])
            #expect(Inflection().singular(of: line[1]) == line[2])
            #expect(Inflection().singular(of: line[0]) == line[3])
            #expect(Inflection().plural(of: line[1]) == line[4])
        }
    }

    @Test func `the singular of a plural is the word, if it is in ActiveSupport`() {
        let found = Self.words.filter { $0[0] == $0[2] }
        #expect(found.count > 300)
        for line in found { #expect(Inflection().singular(of: Inflection().plural(of: line[0])) == line[0]) }
    }

    @Test func `models have Rails' names for tables and events`() {
        #expect(Self.names.count > 25)
        for line in Self.names {
            #expect(Inflection.underscored(line[0]) == line[1])
            #expect(Inflection().plural(of: Inflection.underscored(line[0])) == line[2])
            if line[3] != "-" { #expect(Inflection.camelized(line[1]) == line[3]) }
        }
    }

    @Test func `a registered plural has its singular`() {
        #expect(Inflection(irregulars: ["datum": "data"]).singular(of: "raw_data") == "raw_datum")
        let inflection = Inflection(irregulars: ["cactus": "cacti", "cow": "kine", "fish": "fishes"])
        #expect(inflection.plural(of: "green_cactus") == "green_cacti")
        #expect(inflection.singular(of: "kine") == "cow")
        #expect(inflection.plural(of: "fish") == "fishes")
        #expect(inflection.plural(of: "kine") == "kine")
    }

    @Test func `words without a plural can be registered`() {
        var inflection = Inflection()
        inflection.uncountables = ["staff"]
        #expect(inflection.plural(of: "staff") == "staff")
        #expect(inflection.singular(of: "staff") == "staff")
        #expect(inflection.plural(of: "my_staff") == "my_staffs")
        #expect(inflection.plural(of: "sheep") == "sheep")
    }

    @Test func `endings can be registered, and the last takes precedence`() {
        var inflection = Inflection()
        inflection.plurals = [.init("um", "um"), .init("rum", "ra")]
        inflection.singulars = [.init("ra", "rum")]
        #expect(inflection.plural(of: "forum") == "fora")
        #expect(inflection.plural(of: "museum") == "museum")
        #expect(inflection.singular(of: "fora") == "forum")
    }

    @Test(
        arguments: [
            ("MyHTML", "my_html", "MyHTML"), ("HTMLPage", "html_page", "HTMLPage"),
            ("MyHTMLPage", "my_html_page", "MyHTMLPage"), ("RESTfulRoute", "restful_route", "RESTfulRoute"),
            ("RESTfulHTML", "restful_html", "RESTfulHTML"), ("APIs", "ap_is", "ApIs"),
            ("APIKeyHTML", "api_key_html", "APIKeyHTML"), ("XAPI2", "x_api2", "XApi2"), ("API", "api", "API"),
        ]
    )
    func `acronyms keep their capitals, as in Rails`(_ name: String, _ snake: String, _ back: String) {
        var inflection = Inflection()
        inflection.acronyms = ["HTML", "RESTful", "API"]
        #expect(inflection.underscored(name) == snake)
        #expect(inflection.camelized(snake) == back)
    }
}
