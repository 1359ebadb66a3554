import Dionysus
import DionysusSchemas
import Foundation
import Testing

@Suite struct AvroContainerTests {
    let schema: AvroSchema

    init() throws {
        schema = try AvroSchema(
            parsing:
                #"{"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}, {"name": "s", "type": "string"}]}"#
        )
    }

    func value(_ id: Int64) -> AvroValue { .record("R", ["id": .long(id), "s": .string("text \(id % 3)")]) }

    @Test("What is written into a file is read from it", arguments: AvroCodec.allCases)
    func roundTrip(codec: AvroCodec) throws {
        var writer = try AvroContainerWriter(schema: schema, codec: codec, metadata: ["note": [1, 2]], blockSize: 500)
        let values = (0..<1_000).map { value($0) }
        for value in values { try writer.append(value) }
        let bytes = try writer.finish()
        let file = try AvroContainer(parsing: bytes)
        #expect(file.schema == schema)
        #expect(file.codec == codec)
        #expect(file.metadata == ["note": [1, 2]])
        #expect(try file.values() == values)
        let reader = try AvroSchema(
            parsing: #"{"type": "record", "name": "R", "fields": [{"name": "id", "type": "double"}]}"#
        )
        #expect(try file.values(as: reader).last == .record("R", ["id": .double(999)]))
        #expect(try file.documents()[2] == ["id": 2, "s": "text 2"])
    }

    @Test func aFileMayHaveNoData() throws {
        let bytes = try AvroContainerWriter(schema: schema).finish()
        #expect(try AvroContainer(parsing: bytes).values().isEmpty)
    }

    /// `weather-deflate.avro` of Apache Avro's `share/test/data`, under the Apache License 2.0.
    static let weather = """
        T2JqAQQWYXZyby5zY2hlbWHyAnsidHlwZSI6InJlY29yZCIsIm5hbWUiOiJXZWF0aGVyIiwibmFtZXNwYWNlIjoidGVzdCIsImRvYyI6IkEgd2VhdGhl\
        ciByZWFkaW5nLiIsImZpZWxkcyI6W3sibmFtZSI6InN0YXRpb24iLCJ0eXBlIjoic3RyaW5nIn0seyJuYW1lIjoidGltZSIsInR5cGUiOiJsb25nIn0s\
        eyJuYW1lIjoidGVtcCIsInR5cGUiOiJpbnQifV19FGF2cm8uY29kZWMOZGVmbGF0ZQDdQV8WgvYhpwp1ScLzvweSCnqTMDA0tLQ00LUEgf+LJ7xoV2GQ\
        QBFr/H2tXUUHVWzpukPtKqJAMSMzU5jY9kXdU9TuMaIK3r76bbLaHEYA3UFfFoL2IacKdUnC878Hkg==
        """

    @Test func aFileOfAnotherProgramIsRead() throws {
        let data = try #require(Data(base64Encoded: Self.weather))
        let file = try AvroContainer(parsing: Array(data))
        #expect(file.codec == .deflate)
        #expect(file.schema.name == "test.Weather")
        let readings: [(String, Int64, Int64)] = [
            ("011990-99999", -619_524_000_000, 0), ("011990-99999", -619_506_000_000, 22),
            ("011990-99999", -619_484_400_000, -11), ("012650-99999", -655_531_200_000, 111),
            ("012650-99999", -655_509_600_000, 78),
        ]
        #expect(
            try file.documents()
                == readings.map { ["station": .string($0.0), "time": .integer($0.1), "temp": .integer($0.2)] }
        )
    }

    @Test func aDamagedFileIsRefusedWithThePlace() throws {
        var writer = try AvroContainerWriter(schema: schema, codec: .deflate)
        for id in 0..<100 { try writer.append(value(Int64(id))) }
        let bytes = try writer.finish()
        func fault(_ change: (inout [UInt8]) -> Void) throws -> String {
            var bytes = bytes
            change(&bytes)
            let error = try #require(throws: DionysusError.self) { try AvroContainer(parsing: bytes).values() }
            #expect(error.code == .malformed)
            return error.description
        }
        #expect(try fault { $0[0] = 0 }.contains("don't begin with Obj"))
        #expect(try fault { $0.removeLast() }.contains("sync marker is damaged"))
        #expect(try fault { $0[$0.count - 1] ^= 1 }.contains("block 0"))
        #expect(try fault { $0.removeLast(60) }.contains("block 0"))
        #expect(try fault { $0[$0.count - 30] ^= 0xff }.contains("block 0"))
        #expect(try fault { $0.removeLast($0.count - 40) }.contains("can't be read"))
        // Everything that can be cut off is missed.
        for count in 0..<bytes.count - 1 where count != bytes.count {
            guard let file = try? AvroContainer(parsing: Array(bytes.prefix(count))) else { continue }
            if let values = try? file.values() { #expect(values.isEmpty) }
        }
    }

    /// fastavro leaves three bytes of zlib's checksum behind each block's data.
    @Test func whatStandsBehindCompressedDataIsPassedOver() throws {
        var writer = try AvroContainerWriter(schema: schema, codec: .deflate)
        try writer.append(value(1))
        let bytes = try writer.finish()
        let sync = Array(bytes.suffix(16))
        let head = try #require(bytes.firstRange(of: sync)).upperBound
        // One datum, and the size of what follows, both of one byte.
        let size = bytes[head + 1]
        let data = bytes[(head + 2)..<(bytes.count - 16)]
        let longer = bytes[..<head] + [2, size + 6] + data + [1, 2, 3] + sync
        #expect(try AvroContainer(parsing: Array(longer)).values() == [value(1)])
    }

    @Test func whatIsCompressedIsNotLargerThanIsAllowed() throws {
        let schema = try AvroSchema(parsing: "bytes")
        var writer = try AvroContainerWriter(schema: schema, codec: .deflate)
        try writer.append(.bytes([UInt8](repeating: 0, count: 4 << 20)))
        let bytes = try writer.finish()
        #expect(bytes.count < 20_000)
        var file = try AvroContainer(parsing: bytes)
        #expect(try file.values().count == 1)
        file.maximumBlockSize = 1 << 20
        let error = try #require(throws: DionysusError.self) { try file.values() }
        #expect(error.description.contains("more than 1048576 bytes"))
    }

    @Test func aFileOfNothingsIsBounded() throws {
        var writer = try AvroContainerWriter(schema: AvroSchema(parsing: "null"))
        for _ in 0..<3 { try writer.append(.null) }
        let bytes = try writer.finish()
        #expect(try AvroContainer(parsing: bytes).values() == [.null, .null, .null])
        // The block's count, 3, and its size, 0, become a count of billions.
        let head = bytes.count - 18
        let bomb = Array(bytes[..<head]) + [0xfe, 0xff, 0xff, 0xff, 0x1f] + bytes[(head + 1)...]
        #expect(throws: DionysusError.self) { try AvroContainer(parsing: bomb).values() }
    }

    @Test func codecsThatAreNotKnownAreNamed() throws {
        var bytes = try AvroContainerWriter(schema: schema, codec: .deflate).finish()
        let place = try #require(bytes.firstRange(of: Array("deflate".utf8)))
        bytes.replaceSubrange(place, with: Array("zstdard".utf8))
        let error = try #require(throws: DionysusError.self) { try AvroContainer(parsing: bytes) }
        #expect(error.description.contains("the codec \"zstdard\" isn't known"))
    }

    /// `messageV1` of Apache Avro's `share/test/data`, under the Apache License 2.0.
    @Test func aSingleObjectIsReadByItsFingerprint() throws {
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "namespace": "org.apache.avro", "name": "TestMessage", "fields": [{"name": "id", "type": "long"},
                 {"name": "name", "type": "string"}, {"name": "tags", "type": {"type": "array", "items": "string"}}]}
                """
        )
        let message: [UInt8] =
            [0xc3, 0x01, 0xa9, 0x2d, 0xe1, 0xf8, 0xa2, 0x42, 0xf5, 0x3d, 0x54, 0x08] + Array("Bill".utf8) + [4, 0x12]
            + Array("dog_lover".utf8) + [0x12] + Array("cat_hater".utf8) + [0]
        let parts = try AvroSingleObject.parts(of: message)
        #expect(parts.fingerprint == schema.crc64)
        let value = try schema.decode(parts.datum)
        #expect(value["tags"] == .array([.string("dog_lover"), .string("cat_hater")]))
        #expect(try AvroSingleObject.encode(value, with: schema) == message)
        for bytes in [[], [0xc3], [0xc3, 0x02] + [UInt8](repeating: 0, count: 8), Array(message.prefix(9))] {
            #expect(throws: DionysusError.self) { try AvroSingleObject.parts(of: bytes) }
        }
    }
}
