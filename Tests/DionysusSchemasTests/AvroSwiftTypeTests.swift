import Dionysus
import Testing

@testable import DionysusSchemas

/// Swift types and tables that are made of Avro schemas.
@Suite
struct AvroSwiftTypeTests {
    private static let widget = #"""
        {"type":"record","name":"Widget","namespace":"com.shop","doc":"A thing.\n*/ It is sold.","fields":[
         {"name":"id","type":"long"},{"name":"message_id","type":"string","default":"x"},
         {"name":"made_at","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When."},
         {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
         {"name":"note","type":["null","string"],"default":null},{"name":"level","type":"int","default":3},
         {"name":"title","type":"string","default":"a \"b\" \\(c)"},
         {"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","sold_out","default"]},"default":"NEW"},
         {"name":"parts","type":{"type":"array","items":{"type":"record","name":"Part","fields":[
            {"name":"code","type":{"type":"fixed","name":"Code","size":4}},{"name":"subparts","type":{"type":"array","items":"Part"}}]}}},
         {"name":"labels","type":{"type":"map","values":"boolean"}},{"name":"any","type":["null","int","string"],"default":null},
         {"name":"class","type":"string"}]}
        """#

    @Test("a record becomes a structure with its defaults, names and nested types")
    func record() throws {
        let source = try AvroSwiftTypes([AvroSchema(parsing: Self.widget)]).source
        let expected = #"""
            import Dionysus
            import Foundation

            /// A thing.
            /// */ It is sold.
            struct Widget: Codable, Sendable, Equatable {
                var id: Int
                var messageID: String
                /// When.
                var madeAt: Timestamp
                var price: ExactDecimal
                var note: String?
                var level: Int
                var title: String
                var status: Status
                var parts: [Part]
                var labels: [String: Bool]
                var any: JSON?
                var `class`: String

                init(
                    id: Int,
                    messageID: String,
                    madeAt: Timestamp,
                    price: ExactDecimal,
                    note: String? = nil,
                    level: Int = 3,
                    title: String = "a \"b\" \\(c)",
                    status: Status = .new,
                    parts: [Part],
                    labels: [String: Bool],
                    any: JSON? = nil,
                    `class`: String
                ) {
                    self.id = id
                    self.messageID = messageID
                    self.madeAt = madeAt
                    self.price = price
                    self.note = note
                    self.level = level
                    self.title = title
                    self.status = status
                    self.parts = parts
                    self.labels = labels
                    self.any = any
                    self.class = `class`
                }

                enum CodingKeys: String, CodingKey {
                    case id
                    case messageID = "message_id"
                    case madeAt = "made_at"
                    case price
                    case note
                    case level
                    case title
                    case status
                    case parts
                    case labels
                    case any
                    case `class`
                }
            }

            /// The enumeration com.shop.Status.
            enum Status: String, Codable, Sendable, CaseIterable {
                case new = "NEW"
                case soldOut = "sold_out"
                case `default`
            }

            /// The record com.shop.Part.
            struct Part: Codable, Sendable, Equatable {
                var code: Data
                var subparts: [Part]

                init(
                    code: Data,
                    subparts: [Part]
                ) {
                    self.code = code
                    self.subparts = subparts
                }
            }

            """#
        #expect(source == expected)
    }

    @Test("types of one name in two namespaces, and records that hold themselves")
    func names() throws {
        let tree =
            #"{"type":"record","name":"Node","namespace":"a","fields":[{"name":"next","type":["null","Node"],"default":null}]}"#
        let other = #"{"type":"record","name":"Node","namespace":"b.c-d","fields":[]}"#
        let source = try AvroSwiftTypes([
            AvroSchema(parsing: tree), AvroSchema(parsing: other, .lenient), AvroSchema(parsing: tree),
        ])
        .source
        #expect(source.contains("final class ANode: Codable, Sendable {\n    let next: ANode?"))
        #expect(source.contains("struct BCDNode: Codable"))
        let changed = tree.replacing(#""next""#, with: #""last""#)
        #expect(throws: DionysusError.self) {
            try AvroSwiftTypes([AvroSchema(parsing: tree), AvroSchema(parsing: changed)])
        }
    }

    @Test("lists, maps and records are defaults too, unless a part of them has no literal")
    func defaults() throws {
        let schema = #"""
            {"type":"record","name":"Box","fields":[
             {"name":"sizes","type":{"type":"array","items":"int"},"default":[1,-2]},
             {"name":"names","type":{"type":"array","items":["null","string"]},"default":[]},
             {"name":"limits","type":{"type":"map","values":"double"},"default":{"a \"b\"":1.5}},
             {"name":"states","type":{"type":"array","items":{"type":"enum","name":"State","symbols":["ON","OFF"]}},"default":["OFF"]},
             {"name":"lid","type":{"type":"record","name":"Lid","fields":[
               {"name":"color_code","type":"string"},{"name":"note","type":["null","string"],"default":null}]},
              "default":{"color_code":"red"}},
             {"name":"lids","type":{"type":"array","items":"Lid"},"default":[{"color_code":"a","note":null}]},
             {"name":"days","type":{"type":"array","items":{"type":"int","logicalType":"date"}},"default":[3]}]}
            """#
        let source = try AvroSwiftTypes([AvroSchema(parsing: schema)]).source
        for line in [
            "sizes: [Int] = [1, -2],", "names: [String?] = [],", #"limits: [String: Double] = ["a \"b\"": 1.5],"#,
            "states: [State] = [.off],", #"lid: Lid = Lid(colorCode: "red"),"#,
            #"lids: [Lid] = [Lid(colorCode: "a", note: nil)],"#, "days: [CalendarDate]\n",
        ] { #expect(source.contains("        \(line)"), "\(line) is not in:\n\(source)") }
    }

    @Test("a record becomes a model with the types of columns")
    func contract() throws {
        let contract = try Contract(of: [AvroSchema(parsing: Self.widget)])
        let model = try #require(contract.topics.first?.models.first)
        #expect(model.name == "Widget" && model.key.type == .integer)
        let types = model.attributes.map { "\($0.name) \($0.value.type.rawValue)\($0.value.isNullable ? "?" : "")" }
        #expect(
            types == [
                "id integer", "made_at timestamp", "price decimal", "note string?", "level integer", "title string",
                "status string", "parts array", "labels json", "any json?", "class string",
            ]
        )
        #expect(throws: DionysusError.self) { try Contract(of: [AvroSchema(parsing: #""int""#)]) }
    }
}
