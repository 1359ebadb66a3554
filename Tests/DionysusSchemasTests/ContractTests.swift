import Dionysus
import DionysusSchemas
import Testing

/// A contract as a document, and what breaks when it changes.
@Suite struct ContractTests {
    private static let text = #"""
        {"dionysus":1,"topics":[
          {"name":"v3_bookings","encoding":"envelope","partition_key":"rental_id","models":[
            {"name":"Booking","key":{"name":"id","type":"integer"},
             "attributes":[
               {"name":"id","type":"integer","nullable":false},
               {"name":"price","type":"decimal","nullable":false,"scale":2},
               {"name":"state","type":"string","nullable":false,"values":["open","paid"]},
               {"name":"note","type":"string","nullable":true},
               {"name":"tags","type":"array","nullable":false,"items":{"type":"string","nullable":false}}],
             "links":[{"name":"rental","to":"one","models":["Rental"]},
                      {"name":"fees","to":"many","models":["Fee"]}],
             "with":[{"name":"Fee","key":{"name":"id","type":"uuid"},
               "attributes":[{"name":"id","type":"uuid","nullable":false},
                             {"name":"name","type":"string","nullable":false}],
               "links":[],"with":[]}]}]}]}
        """#

    private static func contract(_ replacements: [(String, String)] = []) throws -> Contract {
        var text = text
        for (old, new) in replacements {
            #expect(text.contains(old), "the contract has no \(old)")
            text = text.replacing(old, with: new)
        }
        return try Contract(parsing: Array(text.utf8))
    }

    @Test func `a document that is read and written again is the same`() throws {
        let document = try Self.contract().document
        #expect(try Contract(parsing: document.bytes).document == document)
        #expect(try JSON(parsing: Array(document.indentedText.utf8)) == document)
        #expect(document == (try JSON(parsing: Array(Self.text.utf8))))
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let name: String
        let replacements: [(String, String)]
        /// What each mode says; empty if nothing breaks.
        let backward: [String]
        let forward: [String]

        var testDescription: String { name }
    }

    private static let booking = "topic v3_bookings, model Booking"

    static let changes: [Change] = [
        Change(name: "none", replacements: [], backward: [], forward: []),
        Change(
            name: "an attribute that isn't nullable is added",
            replacements: [(#"{"name":"note""#, #"{"name":"size","type":"integer","nullable":false},{"name":"note""#)],
            backward: [
                "\(booking), attribute size: added, and old messages don't have it though it isn't nullable"
            ],
            forward: []
        ),
        Change(
            name: "a nullable attribute is added",
            replacements: [(#"{"name":"note""#, #"{"name":"size","type":"integer","nullable":true},{"name":"note""#)],
            backward: [],
            forward: []
        ),
        Change(
            name: "an attribute is removed",
            replacements: [(#"{"name":"price","type":"decimal","nullable":false,"scale":2},"#, "")],
            backward: [],
            forward: ["\(booking), attribute price: removed"]
        ),
        Change(
            name: "an attribute gets another name",
            replacements: [(#""name":"price""#, #""name":"total""#)],
            backward: [
                "\(booking), attribute total: added, and old messages don't have it though it isn't nullable"
            ],
            forward: ["\(booking), attribute price: removed"]
        ),
        Change(
            name: "an attribute becomes nullable",
            replacements: [
                (#""scale":2"#, #""scale":2,"x":0"#), (#""decimal","nullable":false"#, #""decimal","nullable":true"#),
            ],
            backward: [],
            forward: ["\(booking), attribute price: made nullable"]
        ),
        Change(
            name: "an attribute is no longer nullable",
            replacements: [(#""nullable":true"#, #""nullable":false"#)],
            backward: ["\(booking), attribute note: no longer nullable"],
            forward: []
        ),
        Change(
            name: "a type changes",
            replacements: [(#""type":"decimal","nullable":false,"scale":2"#, #""type":"double","nullable":false"#)],
            backward: ["\(booking), attribute price: type changed from decimal to double"],
            forward: ["\(booking), attribute price: type changed from decimal to double"]
        ),
        Change(
            name: "a type becomes any document",
            replacements: [(#""type":"decimal","nullable":false,"scale":2"#, #""type":"json","nullable":false"#)],
            backward: [],
            forward: ["\(booking), attribute price: type changed from decimal to json"]
        ),
        Change(
            name: "a scale grows",
            replacements: [(#""scale":2"#, #""scale":4"#)],
            backward: [],
            forward: ["\(booking), attribute price: new messages have 4 digits behind the point, where 2 are read"]
        ),
        Change(
            name: "a value is added",
            replacements: [(#"["open","paid"]"#, #"["open","paid","void"]"#)],
            backward: [],
            forward: [#"\#(booking), attribute state: new messages may have "void""#]
        ),
        Change(
            name: "a value is removed",
            replacements: [(#"["open","paid"]"#, #"["open"]"#)],
            backward: [#"\#(booking), attribute state: old messages may have "paid""#],
            forward: []
        ),
        Change(
            name: "the values are no longer known",
            replacements: [(#","values":["open","paid"]"#, "")],
            backward: [],
            forward: ["\(booking), attribute state: new messages may have any value"]
        ),
        Change(
            name: "elements of a list change",
            replacements: [(#""items":{"type":"string""#, #""items":{"type":"integer""#)],
            backward: ["\(booking), attribute tags, elements: type changed from string to integer"],
            forward: ["\(booking), attribute tags, elements: type changed from string to integer"]
        ),
        Change(
            name: "elements of a list become nullable",
            replacements: [
                (#""items":{"type":"string","nullable":false"#, #""items":{"type":"string","nullable":true"#)
            ],
            backward: [],
            forward: ["\(booking), attribute tags, elements: made nullable"]
        ),
        Change(
            name: "a link is removed",
            replacements: [(#"{"name":"rental","to":"one","models":["Rental"]},"#, "")],
            backward: [],
            forward: ["\(booking), link rental: removed"]
        ),
        Change(
            name: "a link leads to many",
            replacements: [(#""to":"one""#, #""to":"many""#)],
            backward: ["\(booking), link rental: leads to many instead of one"],
            forward: ["\(booking), link rental: leads to many instead of one"]
        ),
        Change(
            name: "a link becomes polymorphic",
            replacements: [(#"["Rental"]"#, #"["Rental","Boat"]"#)],
            backward: ["\(booking), link rental: leads to Boat or Rental instead of Rental"],
            forward: ["\(booking), link rental: leads to Boat or Rental instead of Rental"]
        ),
        Change(
            name: "a link leads to another model",
            replacements: [(#"["Rental"]"#, #"["Boat"]"#)],
            backward: ["\(booking), link rental: leads to Boat instead of Rental"],
            forward: ["\(booking), link rental: leads to Boat instead of Rental"]
        ),
        Change(
            name: "the topic gets another name",
            replacements: [(#""v3_bookings""#, #""v4_bookings""#)],
            backward: [],
            forward: ["topic v3_bookings: renamed to v4_bookings"]
        ),
        Change(
            name: "the model gets another name",
            replacements: [(#""name":"Booking""#, #""name":"Stay""#)],
            backward: [],
            forward: ["\(booking): removed"]
        ),
        Change(
            name: "the key changes",
            replacements: [(#""key":{"name":"id","type":"integer"}"#, #""key":{"name":"code","type":"string"}"#)],
            backward: [
                "\(booking): key changed from id to code", "\(booking): key's type changed from integer to string",
            ],
            forward: [
                "\(booking): key changed from id to code", "\(booking): key's type changed from integer to string",
            ]
        ),
        Change(
            name: "the partition key changes",
            replacements: [(#""partition_key":"rental_id""#, #""partition_key":null"#)],
            backward: ["topic v3_bookings: partition key changed from rental_id to the message key"],
            forward: ["topic v3_bookings: partition key changed from rental_id to the message key"]
        ),
        Change(
            name: "the encoding changes",
            replacements: [(#""envelope""#, #""record.avro""#)],
            backward: ["topic v3_bookings: encoding changed from envelope to record.avro"],
            forward: ["topic v3_bookings: encoding changed from envelope to record.avro"]
        ),
        Change(
            name: "a sideload is removed",
            replacements: [(#""with":[{"name":"Fee""#, #""with":[{"name":"Tax""#)],
            backward: [],
            forward: ["\(booking), with Fee: removed"]
        ),
        Change(
            name: "a sideload's attribute gets another name",
            replacements: [(#"{"name":"name","type":"string""#, #"{"name":"title","type":"string""#)],
            backward: [
                "\(booking), with Fee, attribute title: added, and old messages don't have it though it isn't nullable"
            ],
            forward: ["\(booking), with Fee, attribute name: removed"]
        ),
    ]

    @Test(arguments: changes)
    func `a change breaks what it breaks`(_ change: Change) throws {
        let earlier = try Self.contract()
        let later = try Self.contract(change.replacements)
        func broken(_ compatibility: ContractCompatibility) -> [String] {
            later.breakingChanges(since: earlier, for: compatibility).map(\.description)
        }
        #expect(broken(.backward) == change.backward)
        #expect(broken(.forward) == change.forward)
        #expect(Set(broken(.full)) == Set(change.backward + change.forward))
    }

    @Test(
        arguments: [
            ("", "malformed JSON"), ("[]", "dionysus is missing"), ("{}", "dionysus is missing"),
            (#"{"dionysus":2,"topics":[]}"#, "form 2"),
            (#"{"dionysus":"1","topics":[]}"#, "$.dionysus: a whole number"),
            (#"{"dionysus":1}"#, "$: its member topics"), (#"{"dionysus":1,"topics":[3]}"#, "$.topics[0]: an object"),
            (
                #"{"dionysus":1,"topics":[{"name":"a","encoding":"e","models":[{"name":"M","key":1}]}]}"#,
                "$.topics[0].models[0].key: an object"
            ),
            (
                #"{"dionysus":1,"topics":[{"name":"a","encoding":"e","models":[]},{"name":"a","encoding":"e","models":[]}]}"#,
                "the name a twice"
            ),
            (
                #"{"dionysus":1,"topics":[{"name":"a","encoding":"e","models":[{"name":"M","key":{"name":"id","type":"int"},"attributes":[]}]}]}"#,
                "models[0].key.type: no such type"
            ),
        ]
    )
    func `what is no contract is refused with its place`(_ text: String, _ place: String) throws {
        let error = try #require(throws: DionysusError.self) { try Contract(parsing: Array(text.utf8)) }
        #expect(error.description.contains(place))
        #expect(error.code == .malformed)
    }

    @Test func `the JSON Schema of a topic stands alone, and an unknown topic has none`() throws {
        let contract = try Self.contract()
        let schema = try #require(contract.jsonSchema(of: "v3_bookings"))
        #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
        #expect(!schema.text.contains("$ref"))
        #expect(schema.text.contains(#""price":{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]{1,2})?$"}"#))
        #expect(schema.text.contains(#""note":{"type":["string","null"]}"#))
        #expect(schema.text.contains(#""state":{"type":"string","enum":["open","paid"]}"#))
        #expect(contract.jsonSchema(of: "v3_nothing") == nil)
    }

    @Test func `Avro's records have the ids of links and sideloads as nested records`() throws {
        let text = try Self.contract().avroSchemas.text
        #expect(text.contains(#"{"name":"rental_id","type":["null","long","string"],"default":null}"#))
        #expect(
            text.contains(#"{"name":"fee_ids","type":{"type":"array","items":{"type":"string","logicalType":"uuid"}}}"#)
        )
        #expect(text.contains(#"{"type":"record","name":"Fee","namespace":"v3_bookings.Booking""#))
        #expect(text.contains(#"{"name":"note","type":["null","string"],"default":null}"#))
        #expect(text.contains(#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}"#))
    }

    @Test func `Avro's envelopes have one schema for a topic, with what is left of deleted records`() throws {
        let contract = try Self.contract([(#""envelope""#, #""envelope.avro""#)])
        guard case .array(let schemas) = contract.avroSchemas else {
            Issue.record("there is no list")
            return
        }
        #expect(schemas.count == 1 && schemas[0]["name"] == "Envelope" && schemas[0]["namespace"] == "v3_bookings")
        let text = schemas[0].text
        // The record is the one that a topic of records has.
        guard case .array(let records) = try Self.contract([(#""envelope""#, #""record.avro""#)]).avroSchemas else {
            Issue.record("there is no list")
            return
        }
        #expect(records.count == 1 && text.contains(records[0].text))
        #expect(text.contains(#"{"type":"record","name":"Booking_remains","namespace":"v3_bookings""#))
        #expect(text.contains(#"{"name":"id","type":"long"},{"name":"price","type":["null",{"type":"bytes""#))
        #expect(try AvroSchema(schemas[0]).envelope != nil && AvroSchema(records[0]).envelope == nil)
    }

    @Test(arguments: [
        "envelope", "envelope.json-schema", "envelope.cloudevents-binary", "envelope.avro", "envelope.protobuf",
    ])
    func `a JSON Schema has an envelope's data as its format has them`(encoding: String) throws {
        let contract = try Self.contract([(#""envelope""#, "\"\(encoding)\"")])
        let text = try #require(contract.jsonSchema(of: "v3_bookings")).text
        let holdsRecords = encoding == "envelope.avro" || encoding == "envelope.protobuf"
        #expect(text.contains(#""links""#) != holdsRecords)
        #expect(text.contains(#""rental_id""#) == holdsRecords)
        #expect(text.contains(#""booking_destroyed""#))
    }
}
