import Dionysus
import DionysusSchemas
import Testing

/// Numbers that are the same on every run.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

@Suite struct AvroHostileInputTests {
    /// A schema that has everything, and contains itself.
    static let everything = """
        {"type": "record", "name": "All", "fields": [
          {"name": "b", "type": "boolean"}, {"name": "i", "type": "int"}, {"name": "l", "type": "long"},
          {"name": "f", "type": "float"}, {"name": "d", "type": "double"}, {"name": "s", "type": "string"},
          {"name": "y", "type": "bytes"}, {"name": "x", "type": {"type": "fixed", "name": "F", "size": 3}},
          {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}},
          {"name": "a", "type": {"type": "array", "items": ["null", "string", "All"]}},
          {"name": "m", "type": {"type": "map", "values": {"type": "array", "items": "long"}}},
          {"name": "n", "type": {"type": "array", "items": "null"}},
          {"name": "p", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
          {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}
        """

    /// The same with some of its fields gone, moved, widened and added.
    static let evolved = """
        {"type": "record", "name": "All", "fields": [
          {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}}, {"name": "i", "type": "double"},
          {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["C", "A"], "default": "A"}},
          {"name": "s", "type": ["null", "string"]}, {"name": "added", "type": {"type": "array", "items": "int"}, "default": [1]},
          {"name": "a", "type": {"type": "array", "items": ["All", "null"]}}]}
        """

    static func value(depth: Int, _ numbers: inout SeededNumbers) -> AvroValue {
        let texts = ["", "short", "a text that is longer than what a string holds in itself", "é☃\u{10348}"]
        let elements: [AvroValue] = (0..<Int.random(in: 0...3, using: &numbers))
            .map { _ in
                switch Int.random(in: 0...2, using: &numbers) {
                case 0 where depth > 0: value(depth: depth - 1, &numbers)
                case 1: .string(texts.randomElement(using: &numbers) ?? "")
                default: .null
                }
            }
        let longs: [AvroValue] = (0..<Int.random(in: 0...3, using: &numbers))
            .map { _ in .long(Int64(truncatingIfNeeded: numbers.next())) }
        return .record(
            "All",
            [
                "b": .boolean(Bool.random(using: &numbers)), "i": .int(Int32(truncatingIfNeeded: numbers.next())),
                "l": .long(Int64(truncatingIfNeeded: numbers.next()) >> Int64.random(in: 0...63, using: &numbers)),
                "f": .float(Float.random(in: -1...1, using: &numbers)),
                "d": .double(Double.random(in: -1...1, using: &numbers)),
                "s": .string(texts.randomElement(using: &numbers) ?? ""), "y": .bytes([1, 2, 3]),
                "x": .fixed("F", [1, 2, 3]),
                "e": .enumeration("E", ["A", "B", "C"].randomElement(using: &numbers) ?? "A"), "a": .array(elements),
                "m": .map(["k": .array(longs)]), "n": .array([.null, .null]), "p": .bytes([1]), "t": .long(5),
            ]
        )
    }

    /// Bytes that announce more than they have.
    static let announcements: [[UInt8]] = [
        [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        [0xfe, 0xff, 0xff, 0xff, 0x0f], [0x80, 0x80, 0x80, 0x80, 0x20], [0xff, 0xff, 0xff, 0xff, 0x0f],
        [0xed, 0xa0, 0x80],
    ]

    static func damage(_ bytes: [UInt8], _ numbers: inout SeededNumbers) -> [UInt8] {
        var bytes = bytes
        switch Int.random(in: 0..<6, using: &numbers) {
        case 0:
            bytes = (0..<Int.random(in: 0...200, using: &numbers))
                .map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
        case 1:
            for _ in 0...Int.random(in: 0...3, using: &numbers) {
                guard let index = bytes.indices.randomElement(using: &numbers) else { break }
                bytes[index] = UInt8(truncatingIfNeeded: numbers.next())
            }
        case 2: bytes.removeLast(Int.random(in: 0...bytes.count, using: &numbers))
        case 3:
            let index = Int.random(in: 0...bytes.count, using: &numbers)
            bytes.insert(contentsOf: announcements.randomElement(using: &numbers) ?? [], at: index)
        case 4:
            let index = Int.random(in: 0...bytes.count, using: &numbers)
            bytes.replaceSubrange(index..., with: announcements.randomElement(using: &numbers) ?? [])
        default:
            // A record within a record within …, as far as the bytes go.
            let index = Int.random(in: 0...bytes.count, using: &numbers)
            bytes.insert(contentsOf: bytes[..<index], at: index)
        }
        return bytes
    }

    @Test func aHundredThousandHostileInputsAreReadOrRefused() throws {
        let schema = try AvroSchema(parsing: Self.everything)
        let plans = [try AvroPlan(from: schema), try AvroPlan(from: schema, to: AvroSchema(parsing: Self.evolved))]
        var numbers = SeededNumbers(state: 7)
        let good = try (0..<200).map { _ in try schema.encode(Self.value(depth: 3, &numbers)) }
        var (read, refused) = (0, 0)
        for index in 0..<100_000 {
            let bytes = Self.damage(good[index % good.count], &numbers)
            do {
                let value = try plans[index % 2].value(from: bytes)
                read += 1
                // What is read is a value of the schema, which can be written.
                #expect(try plans[index % 2].reader.encode(value).count >= 0)
            } catch let error as DionysusError {
                refused += 1
                guard error.code == .malformed, error.message.contains("byte ") else {
                    Issue.record("not said where: \(error)")
                    return
                }
            }
        }
        // Both happen, so that neither is tested in name only.
        #expect(read > 1_000)
        #expect(refused > 50_000)
    }

    @Test func hostileSchemasAndFilesAreReadOrRefused() throws {
        var numbers = SeededNumbers(state: 11)
        let text = Array(Self.everything.utf8)
        var writer = try AvroContainerWriter(schema: AvroSchema(parsing: Self.everything), codec: .deflate)
        for _ in 0..<5 { try writer.append(Self.value(depth: 1, &numbers)) }
        let file = try writer.finish()
        var refused = 0
        for _ in 0..<3_000 {
            let damaged = String(decoding: Self.damage(text, &numbers), as: UTF8.self)
            if (try? AvroSchema(parsing: damaged, .lenient)) == nil { refused += 1 }
            if (try? AvroContainer(parsing: Self.damage(file, &numbers)).values()) == nil { refused += 1 }
        }
        #expect(refused > 1_000)
    }

    @Test func whatIsHandedOnIsBoundedByTheBytes() throws {
        // Every value costs memory, so that their number is what a hostile datum can ask for.
        func count(_ value: AvroValue) -> Int {
            switch value {
            case .array(let elements): 1 + elements.reduce(0) { $0 + count($1) }
            case .map(let entries), .record(_, let entries): 1 + entries.reduce(0) { $0 + count($1.value) }
            default: 1
            }
        }
        let nothings = try AvroSchema(parsing: #"{"type": "array", "items": "null"}"#)
        // 60,000 nothings are taken; as many again, in further blocks, aren't.
        let block: [UInt8] = [0xc0, 0xa9, 0x07]
        #expect(try count(nothings.decode(block + [0])) == 60_001)
        #expect(throws: DionysusError.self) { try nothings.decode(block + block + [0]) }
        // Nor are they passed over without being counted.
        let writer = try AvroSchema(
            parsing:
                #"{"type": "record", "name": "R", "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}]}"#
        )
        let reader = try AvroSchema(parsing: #"{"type": "record", "name": "R", "fields": []}"#)
        let plan = try AvroPlan(from: writer, to: reader)
        #expect(try plan.value(from: block + [0]) == .record("R", [:]))
        #expect(throws: DionysusError.self) {
            try plan.value(from: [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0])
        }
    }
}
