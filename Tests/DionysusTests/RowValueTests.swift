import Dionysus
import Foundation
import Testing

/// Decoding rows as models, and encoding records for publishing.
@Suite struct RowValueTests {
    /// A value of any form, which tries to decode a boolean first.
    enum Anything: Codable, Equatable {
        case flag(Bool)
        case count(Int)
        case ratio(Double)
        case name(String)
        case list([Anything])
        case object([String: Anything])
        case nothing

        init(from decoder: any Decoder) throws {
            if let container = try? decoder.singleValueContainer() {
                if container.decodeNil() {
                    self = .nothing
                    return
                }
                if let value = try? container.decode(Bool.self) {
                    self = .flag(value)
                    return
                }
                if let value = try? container.decode(Int.self) {
                    self = .count(value)
                    return
                }
                if let value = try? container.decode(Double.self) {
                    self = .ratio(value)
                    return
                }
                if let value = try? container.decode(String.self) {
                    self = .name(value)
                    return
                }
                if let value = try? container.decode([Anything].self) {
                    self = .list(value)
                    return
                }
            }
            self = .object(try [String: Anything](from: decoder))
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .flag(let value): try container.encode(value)
            case .count(let value): try container.encode(value)
            case .ratio(let value): try container.encode(value)
            case .name(let value): try container.encode(value)
            case .list(let value): try container.encode(value)
            case .object(let value): try container.encode(value)
            case .nothing: try container.encodeNil()
            }
        }
    }

    struct Flag: Codable, Equatable {
        let isSet: Bool

        init(_ isSet: Bool) { self.isSet = isSet }
        init(from decoder: any Decoder) throws { isSet = try decoder.singleValueContainer().decode(Bool.self) }
        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(isSet)
        }
    }

    enum Color: String, Codable { case red, green }
    enum Level: Int, Codable { case low = 1, high = 9 }
    struct Part: Codable, Equatable {
        var price: Decimal
        var exact: ExactDecimal?
        var ratios: [Double] = []
    }

    /// A model with one property.
    struct Holder<Value: Codable & Sendable>: Model {
        var value: Value

        enum CodingKeys: String, CodingKey, Sendable { case value }
        static var modelName: String { "Holder" }
    }

    private func decode<Value: Codable & Sendable>(_ cell: DatabaseValue, as type: Value.Type) throws -> Value {
        let result = ResultSet(columns: ["value"], cells: [cell], affectedRows: 1)
        let record = try ModelDescription(Holder<Value>.self).decode(Row(result: result, index: 0))
        return try #require(record as? Holder<Value>).value
    }

    private func published<Value: Codable & Sendable>(_ value: Value) throws -> String {
        let encoder = MemberEncoder(JSONTreeEncoder())
        try encoder.encode(Holder(value: value))
        return String(decoding: encoder.json(0), as: UTF8.self)
    }

    @Test(
        "a document is published unchanged: a number is not a boolean, and a boolean is not a number",
        arguments: [
            #"{"stock":1,"off":0}"#, #"{"is":true,"isnt":false}"#, "[0,1,true,false,null,[1],{}]",
            #"{"a":{"b":[1,{"c":0}]}}"#, "1", "0", "true", "-1", "1.5", #""1""#,
        ]
    )
    func documents(_ text: String) throws {
        let value = try decode(.json(text), as: Anything.self)
        let copy = try JSON(parsing: Array(published(value).utf8))
        let original = try JSON(parsing: Array(text.utf8))
        #expect(Set([copy]) == Set([original]) || copy.sorted == original.sorted)
        #expect(try published(decode(.json(text), as: JSON.self)) == text)
    }

    @Test(
        "a cell that is a number is no boolean for a type that takes both, and is one for a type that takes nothing else"
    )
    func cells() throws {
        #expect(try decode(.integer(1), as: Anything.self) == .count(1))
        #expect(try decode(.bool(true), as: Anything.self) == .flag(true))
        #expect(try decode(.integer(1), as: Flag.self) == Flag(true))
        #expect(try decode(.integer(0), as: Bool.self) == false)
        #expect(throws: DionysusError.self) { try decode(.integer(2), as: Bool.self) }
        #expect(throws: DionysusError.self) { try decode(.integer(2), as: Flag.self) }
        #expect(throws: DionysusError.self) { try decode(.json(#"{"a":1}"#), as: [String: Bool].self) }
        #expect(throws: DionysusError.self) { try decode(.json(#"{"a":true}"#), as: [String: Int].self) }
    }

    private func fault<Value: Codable & Sendable>(_ cell: DatabaseValue, as type: Value.Type) -> String {
        do {
            _ = try decode(cell, as: type)
            return "nothing"
        } catch let error as DionysusError {
            return error.message
        } catch {
            return "\(error)"
        }
    }

    @Test("an error names the column and the kind of value, and doesn't show the value")
    func faults() {
        #expect(fault(.null, as: Int.self) == "column value is null")
        #expect(fault(.null, as: Color.self) == "column value is null")
        #expect(fault(.null, as: [Int].self) == "column value is null")
        #expect(fault(.text("secret"), as: Int.self) == "column value holds text, not Int")
        #expect(
            fault(.text("secret"), as: Color.self) == "column value holds text, not what Color can be made of"
                || fault(.text("secret"), as: Color.self) == "column value holds text, not Color"
        )
        #expect(fault(.integer(300), as: Int8.self) == "column value holds a number that is out of the range of Int8")
        #expect(
            fault(.integer(-1), as: UInt64.self) == "column value holds a number that is out of the range of UInt64"
        )
        #expect(fault(.double(1e300), as: Float.self) == "column value holds a number, not a number that fits a Float")
        #expect(fault(.bytes([1]), as: UUID.self) == "column value holds bytes, not UUID")
        #expect(fault(.json(#"{"price":null}"#), as: Part.self) == "column value.price is null")
        #expect(
            fault(.json(#"{"price":"secret"}"#), as: Part.self) == "column value.price holds text, not a decimal number"
        )
        #expect(
            fault(.json("[1,secret]"), as: [Int].self).hasPrefix("column value holds a document that can't be read")
        )
        let texts: [DatabaseValue] = [.text("secret"), .json(#""secret""#), .array(.text, [.text("secret")])]
        for cell in texts {
            #expect(!fault(cell, as: Level.self).contains("secret"))
            #expect(!fault(cell, as: [Color].self).contains("secret"))
            #expect(!fault(cell, as: CalendarDate.self).contains("secret"))
            #expect(!fault(cell, as: [String: Date].self).contains("secret"))
        }
    }

    @Test(
        "a number that JSON can't express fails at any depth, and its path is named",
        arguments: [Double.nan, .infinity, -.infinity]
    )
    func notFinite(_ number: Double) {
        func check<Value: Codable & Sendable>(_ value: Value, _ place: String) {
            let error = #expect(throws: DionysusError.self) { try published(value) }
            let kind = number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity"
            #expect(error?.message == "the attribute \(place) is \(kind), which JSON can't express")
        }
        check(number, "value")
        check(Float(number), "value")
        check(Optional(number), "value")
        check(Optional(Float(number)), "value")
        check([1, number], "value.1")
        check(["ratio": number], "value.ratio")
        check(["ratio": Float(number)], "value.ratio")
        check([["ratio": Optional(number)]], "value.0.ratio")
        check(Part(price: 1, ratios: [0, 0, number]), "value.ratios.2")
        if number.isNaN {
            check(ExactDecimal.notANumber, "value")
            check(Decimal.nan, "value")
            check(Part(price: .nan), "value.price")
        }
    }

    @Test("a date out of range fails and is named")
    func farDates() {
        let error = #expect(throws: DionysusError.self) { try published(Date(timeIntervalSince1970: 1e20)) }
        #expect(error?.message.contains("the attribute value is a date that lies too far away") == true)
    }

    @Test("a decimal number is a string as an attribute, and a number in a document")
    func decimals() throws {
        #expect(try published(ExactDecimal("1.50")) == #""1.50""#)
        #expect(try published([Decimal(1.5)]) == #"["1.5"]"#)
        let part = try decode(.json(#"{"price":12.5,"exact":0.10,"ratios":[1]}"#), as: Part.self)
        #expect(try published(part) == #"{"price":12.5,"exact":0.10,"ratios":[1.0]}"#)
        #expect(try published(["price": ExactDecimal("1.50")]) == #"{"price":1.50}"#)
        #expect(
            try published([Part(price: 2, exact: ExactDecimal("1e-30"))]).contains("0.000000000000000000000000000001")
        )
    }

    @Test("lists of all element types are read from the database's own format")
    func lists() throws {
        #expect(try decode(.text("{red,NULL,green}"), as: [Color?].self) == [.red, nil, .green])
        #expect(try decode(.text("{2024-02-29}"), as: [CalendarDate].self) == [CalendarDate("2024-02-29")])
        #expect(try decode(.text("{{1,2},{3,4}}"), as: [[Int]].self) == [[1, 2], [3, 4]])
        #expect(try decode(.text("[0:1]={1,2}"), as: [Int].self) == [1, 2])
        #expect(try decode(.text("{}"), as: [Color].self) == [])
        #expect(try decode(.text(#"{"a b","c\"d",""}"#), as: [String].self) == ["a b", "c\"d", ""])
        #expect(try decode(.text("{t,f}"), as: [Bool].self) == [true, false])
        #expect(try decode(.text("{0.5,2}"), as: [Double].self) == [0.5, 2])
        #expect(try decode(.text(#"{"\\x0aff"}"#), as: [Data].self) == [Data([10, 255])])
        #expect(try decode(.text("[1,2]"), as: [Int].self) == [1, 2])
        #expect(try decode(.array(.integer, [.integer(1), .null]), as: [Int?].self) == [1, nil])
        for text in ["{", "{a", "{a,}", #"{"a}"#, "{a}b", "{{{{{{{1}}}}}}}", "{\\", "}", "{a{b}}x"] {
            #expect(throws: DionysusError.self) { try decode(.text(text), as: [Int].self) }
        }
    }

    @Test("integers of every width are read, also beyond 64 bits")
    func integers() throws {
        let largest = try #require(ExactDecimal("18446744073709551615"))
        #expect(try decode(.decimal(largest), as: UInt64.self) == .max)
        #expect(try decode(.text("18446744073709551615"), as: UInt64.self) == .max)
        #expect(try decode(.decimal(ExactDecimal(unscaled: 700, scale: 2)), as: Int8.self) == 7)
        #expect(try decode(.json("[1.0, 2e3]"), as: [Int].self) == [1, 2_000])
        #expect(throws: DionysusError.self) { try decode(.decimal(ExactDecimal(unscaled: 71, scale: 1)), as: Int.self) }
        #expect(throws: DionysusError.self) { try decode(.json("[1e400]"), as: [Double].self) }
        #expect(try published(UInt64.max) == "18446744073709551615")
    }

    @Test(
        "the columns of a model with properties of all kinds are found out, also of enumerations that don't list their cases"
    )
    func columns() throws {
        func kind<Value: Codable & Sendable>(_ type: Value.Type) throws -> ValueKind? {
            try ModelDescription(Holder<Value>.self).columns().first?.kind
        }
        #expect(try kind(Color.self) == .text)
        #expect(try kind(Level.self) == .integer(bits: 64, isSigned: true))
        #expect(try kind(Int8?.self) == .integer(bits: 8, isSigned: true))
        #expect(try kind(URL.self) == .url)
        #expect(try kind(Data.self) == .bytes)
        #expect(try kind(CalendarDate.self) == .date)
        #expect(try kind(JSON.self) == .document)
        #expect(try kind([Color?].self) == .list(.text, hasNulls: true))
        #expect(try kind([String: Int].self) == .object)
        #expect(try kind(Part.self) == .object)
        #expect(try kind(Anything?.self) == .any)
        #expect(try kind(Flag.self) == .bool)
    }

    @Test(
        "a calendar date is parsed, formatted and compared",
        arguments: ["2024-02-29", "0001-01-01", "012024-12-31"]
    )
    func dates(_ text: String) throws {
        let date = try #require(CalendarDate(text))
        #expect(date.description == text)
        #expect(CalendarDate(try #require(date.midnight)) == date)
        #expect(try published(date) == "\"\(text)\"")
        #expect(try decode(.text(text), as: CalendarDate.self) == date)
    }

    @Test(
        "text that isn't a date is rejected",
        arguments: ["2023-02-29", "2024-13-01", "2024-00-01", "2024-01-32", "2024-01-01T00:00:00Z", "infinity", ""]
    )
    func noDates(_ text: String) {
        #expect(CalendarDate(text) == nil)
    }

    @Test("a document is unchanged by other coders")
    func otherCoders() throws {
        let document: JSON = [
            "a": [1, true, .null, "x", .number("1.5")], "b": .number("18446744073709551615"), "c": [:],
        ]
        let copy = try JSONDecoder().decode(JSON.self, from: JSONEncoder().encode(document))
        #expect(copy.sorted == document.sorted)
    }
}

extension JSON {
    /// The same with sorted object members.
    fileprivate var sorted: JSON {
        switch self {
        case .array(let elements): .array(elements.map(\.sorted))
        case .object(let object):
            .object(Object(object.members.map { .init($0.name, $0.value.sorted) }.sorted { $0.name < $1.name }))
        default: self
        }
    }
}
