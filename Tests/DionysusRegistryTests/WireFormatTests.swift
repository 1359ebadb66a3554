import Dionysus
import DionysusSchemas
import Foundation
import Testing

/// Confluent's wire format.
@Suite(.timeLimit(.minutes(10))) struct WireFormatTests {
    @Test(
        "places of messages are written as other programs write them",
        arguments: [
            ([0], "00"), ([1], "0202"), ([127, 8, 9], "06fe011012"), ([128], "028002"), ([1, 0], "040200"),
            ([Int.max], "02feffffffffffffffff01"),
        ]
    )
    func messageIndexes(indexes: [Int], hex: String) throws {
        let bytes = MessageIndexes.encode(indexes)
        #expect(bytes.hex == hex)
        var rest = bytes[...] + [7]
        #expect(try MessageIndexes.decode(&rest) == indexes)
        #expect(Array(rest) == [7])
    }

    @Test("the place of the first message is also read in its long form")
    func longForm() throws {
        var rest: ArraySlice<UInt8> = [2, 0]
        #expect(try MessageIndexes.decode(&rest) == [0])
        #expect(rest.isEmpty)
    }

    @Test("places that old programs wrote as plain numbers are read if that is asked for")
    func plainForm() throws {
        var rest: ArraySlice<UInt8> = [2, 1, 0]
        #expect(try MessageIndexes.decode(&rest, .plain) == [1, 0])
    }

    @Test(
        "a place that is none is an error",
        arguments: [
            [], [2], [0x80], [0x01], [2, 1], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [0xfe, 0xff, 0xff, 0xff, 0x0f], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] as [[UInt8]]
    )
    func wrongPlaces(bytes: [UInt8]) {
        var rest = bytes[...]
        #expect(throws: DionysusError.self) { try MessageIndexes.decode(&rest) }
    }

    @Test("a number stands before the data")
    func prefix() throws {
        let frame = SchemaFrame(.number(15))
        #expect(frame.prefix == [0, 0, 0, 0, 15])
        #expect(frame.header(for: .value) == nil)
        let (parsed, data) = try SchemaFrame.parse(frame.prefix + Array("\u{e}my name".utf8), type: .avro)
        #expect(parsed == frame)
        #expect(Array(data) == Array("\u{e}my name".utf8))
    }

    @Test("a number stands before the place of a message, and that before the data")
    func prefixOfProtobuf() throws {
        let frame = SchemaFrame(.number(20), messageIndexes: [1, 0])
        #expect(frame.prefix == [0, 0, 0, 0, 20, 4, 2, 0])
        let (parsed, data) = try SchemaFrame.parse(frame.prefix + [8, 1], type: .protobuf)
        #expect(parsed == frame)
        #expect(Array(data) == [8, 1])
    }

    @Test("a GUID stands in a header of the part that it is for", arguments: MessagePart.allCases)
    func header(part: MessagePart) throws {
        let guid = try #require(UUID(uuidString: "89791762-2336-4186-9674-299b90a802e2"))
        let frame = SchemaFrame(.guid(guid), messageIndexes: [1])
        #expect(frame.prefix.isEmpty)
        let header = try #require(frame.header(for: part))
        #expect(header.name == "__\(part.rawValue)_schema_id")
        #expect(header.value.hex == "01897917622336418696 74299b90a802e20202".replacing(" ", with: ""))
        let (parsed, data) = try SchemaFrame.parse([8, 1], headers: [header], part: part, type: .protobuf)
        #expect(parsed == frame)
        #expect(Array(data) == [8, 1])
        #expect(SchemaFrame.isPresent(in: [8, 1], headers: [header], part: part))
    }

    @Test("data that names no schema is an error", arguments: [[], [0, 0, 0, 1], [1, 0, 0, 0, 1, 2]] as [[UInt8]])
    func noSchema(bytes: [UInt8]) {
        let error = #expect(throws: DionysusError.self) { try SchemaFrame.parse(bytes, type: .avro) }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("magic byte") == true)
    }

    @Test(
        "a header that names no schema is an error",
        arguments: [[], [1], [0] + Array(repeating: 1, count: 16)] as [[UInt8]]
    )
    func wrongHeader(value: [UInt8]) {
        let headers = [MessageHeader("__value_schema_id", value)]
        #expect(throws: DionysusError.self) { try SchemaFrame.parse([1], headers: headers, type: .avro) }
    }

    @Test("JSON is distinguished from data with a schema")
    func detection() {
        #expect(!SchemaFrame.isPresent(in: Array("{\"id\": 1}".utf8)))
        #expect(SchemaFrame.isPresent(in: [0, 0, 0, 0, 1, 2]))
    }

    @Test("subjects are named after topics, records or both")
    func subjects() throws {
        #expect(try SubjectNameStrategy.topic.subject(topic: "t", part: .key, record: nil) == "t-key")
        #expect(try SubjectNameStrategy.record.subject(topic: "t", part: .value, record: "a.B") == "a.B")
        #expect(try SubjectNameStrategy.topicRecord.subject(topic: "t", part: .value, record: "a.B") == "t-a.B")
        #expect(throws: DionysusError.self) {
            try SubjectNameStrategy.record.subject(topic: "t", part: .value, record: nil)
        }
    }
}

extension [UInt8] {
    var hex: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
