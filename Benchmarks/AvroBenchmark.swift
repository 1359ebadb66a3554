import Dionysus
@_spi(AvroDirect) import DionysusSchemas
import Foundation

extension Benchmark {
    /// The time to encode a record of 6 fields, including a list of 3 records, in Avro's binary encoding.
    static let avroEncode = Benchmark(
        name: "avro-encode",
        figures: [
            Figure(
                name: "a record with 3 parts, fields into a buffer that is used again",
                unit: "ns",
                targets: [.atMost(300)]
            ),
            Figure(name: "floor: as many bytes by hand, without checks", unit: "ns"),
            Figure(name: "the same record as a value", unit: "ns"),
            Figure(name: "the same record, Codable", unit: "ns"),
        ],
        run: {
            let schema = try Superhero.schema
            let hero = Superhero.sample
            var writer = AvroWriter(capacity: 256)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(256)
            let value = hero.value
            let encoder = AvroEncoder(schema: schema)
            return [
                nanoseconds(2_000_000) {
                    writer.reset()
                    hero.write(to: &writer)
                    return writer.bytes.count
                },
                nanoseconds(2_000_000) {
                    bytes.removeAll(keepingCapacity: true)
                    hero.writeByHand(to: &bytes)
                    return bytes.count
                },
                try nanoseconds(200_000) { try schema.encode(value).count },
                try nanoseconds(50_000) { try encoder.encode(hero).count },
            ]
        }
    )

    /// The time to read that record with another version of the schema: one field removed, two reordered, one widened
    /// and one added.
    static let avroDecode = Benchmark(
        name: "avro-decode",
        figures: [
            Figure(
                name: "a record with 3 parts, resolved, into a type's properties",
                unit: "ns",
                targets: [.atMost(400)]
            ),
            Figure(name: "floor: the writer's own fields by hand, without checks", unit: "ns"),
            Figure(name: "the same record as a value", unit: "ns"),
            Figure(name: "the same record, Decodable", unit: "ns"),
        ],
        run: {
            let schema = try Superhero.schema
            let hero = Superhero.sample
            var writer = AvroWriter()
            hero.write(to: &writer)
            let bytes = writer.bytes
            let plan = try AvroPlan(from: schema, to: Superhero.newerSchema)
            var sink = Superhero.Sink()
            let decoder = try AvroDecoder(Superhero.Newer.self, from: schema, to: Superhero.newerSchema)
            return [
                try nanoseconds(2_000_000) {
                    try plan.decode(bytes, into: &sink)
                    return sink.hero.powers.count
                },
                nanoseconds(2_000_000) { Superhero.readByHand(bytes).powers.count },
                try nanoseconds(200_000) {
                    if case .record(_, let fields) = try plan.value(from: bytes) { fields.count } else { 0 }
                },
                try nanoseconds(50_000) { try decoder.decode(bytes).powers.count },
            ]
        }
    )

    /// The processor time of one call, without the warm-up calls.
    private static func nanoseconds(_ count: Int, _ body: () throws -> Int) rethrows -> Double {
        var sum = 0
        for _ in 0..<(count / 10) { sum &+= try body() }
        let start = processorTime
        for _ in 0..<count { sum &+= try body() }
        let duration = processorTime - start
        // The sum is used, so that no call is optimized away.
        precondition(sum != 0)
        return duration / Double(count)
    }

    /// This thread's processor time so far, in nanoseconds, which other load doesn't affect.
    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}

/// The record in the benchmarks of Go's hamba/avro.
struct Superhero: Codable, Sendable {
    struct Power: Codable, Sendable {
        var id: Int32 = 0
        var name = ""
        var damage: Float = 0
        var energy: Float = 0
        var passive = false
    }

    var id: Int32 = 0
    var affiliation: Int32 = 0
    var name = ""
    var life: Float = 0
    var energy: Float = 0
    var powers: [Power] = []

    enum CodingKeys: String, CodingKey {
        case id, affiliation = "affiliation_id", name, life, energy, powers
    }

    static let sample = Superhero(
        id: 234_765,
        affiliation: 9_867,
        name: "Wolverine",
        life: 85.25,
        energy: 32.75,
        powers: [
            Power(id: 2_345, name: "Bone Claws", damage: 5, energy: 1.15, passive: false),
            Power(id: 2_346, name: "Regeneration", damage: -2, energy: 0.55, passive: true),
            Power(id: 2_347, name: "Adamant skeleton", damage: -10, energy: 0, passive: true),
        ]
    )

    static var schema: AvroSchema {
        get throws {
            try AvroSchema(
                parsing: """
                    {"type": "record", "namespace": "com.example", "name": "Superhero", "fields": [
                      {"name": "id", "type": "int"}, {"name": "affiliation_id", "type": "int"},
                      {"name": "name", "type": "string"}, {"name": "life", "type": "float"}, {"name": "energy", "type": "float"},
                      {"name": "powers", "type": {"type": "array", "items": {"type": "record", "name": "Power", "fields": [
                        {"name": "id", "type": "int"}, {"name": "name", "type": "string"}, {"name": "damage", "type": "float"},
                        {"name": "energy", "type": "float"}, {"name": "passive", "type": "boolean"}]}}}]}
                    """
            )
        }
    }

    static var newerSchema: AvroSchema {
        get throws {
            try AvroSchema(
                parsing: """
                    {"type": "record", "namespace": "com.example", "name": "Superhero", "fields": [
                      {"name": "id", "type": "long"}, {"name": "life", "type": "float"}, {"name": "name", "type": "string"},
                      {"name": "energy", "type": "float"}, {"name": "team", "type": "int", "default": 7},
                      {"name": "powers", "type": {"type": "array", "items": {"type": "record", "name": "Power", "fields": [
                        {"name": "id", "type": "int"}, {"name": "name", "type": "string"}, {"name": "damage", "type": "float"},
                        {"name": "energy", "type": "float"}, {"name": "passive", "type": "boolean"}]}}}]}
                    """
            )
        }
    }

    /// The type as which the newer version's data is read.
    struct Newer: Codable, Sendable {
        var id: Int64 = 0
        var life: Float = 0
        var name = ""
        var energy: Float = 0
        var team: Int32 = 0
        var powers: [Power] = []
    }

    var value: AvroValue {
        .record(
            "com.example.Superhero",
            [
                "id": .int(id), "affiliation_id": .int(affiliation), "name": .string(name), "life": .float(life),
                "energy": .float(energy),
                "powers": .array(
                    powers.map { power in
                        .record(
                            "com.example.Power",
                            [
                                "id": .int(power.id), "name": .string(power.name), "damage": .float(power.damage),
                                "energy": .float(power.energy), "passive": .boolean(power.passive),
                            ]
                        )
                    }
                ),
            ]
        )
    }

    func write(to writer: inout AvroWriter) {
        writer.int(id)
        writer.int(affiliation)
        writer.string(name)
        writer.float(life)
        writer.float(energy)
        writer.blockCount(powers.count)
        for power in powers {
            writer.int(power.id)
            writer.string(power.name)
            writer.float(power.damage)
            writer.float(power.energy)
            writer.boolean(power.passive)
        }
        writer.blockCount(0)
    }

    /// The same bytes, with nothing shared between the kinds of field.
    func writeByHand(to bytes: inout [UInt8]) {
        func number(_ value: Int32, _ bytes: inout [UInt8]) {
            var rest = UInt32(bitPattern: (value << 1) ^ (value >> 31))
            while rest >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(truncatingIfNeeded: rest))
        }
        func text(_ value: String, _ bytes: inout [UInt8]) {
            number(Int32(value.utf8.count), &bytes)
            bytes.append(contentsOf: value.utf8)
        }
        func float(_ value: Float, _ bytes: inout [UInt8]) {
            withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
        }
        number(id, &bytes)
        number(affiliation, &bytes)
        text(name, &bytes)
        float(life, &bytes)
        float(energy, &bytes)
        number(Int32(powers.count), &bytes)
        for power in powers {
            number(power.id, &bytes)
            text(power.name, &bytes)
            float(power.damage, &bytes)
            float(power.energy, &bytes)
            bytes.append(power.passive ? 1 : 0)
        }
        bytes.append(0)
    }

    static func readByHand(_ bytes: [UInt8]) -> Superhero {
        bytes.withUnsafeBytes { bytes in
            var position = 0
            func number() -> Int32 {
                var (value, shift): (UInt32, UInt32) = (0, 0)
                while true {
                    let byte = bytes[position]
                    position += 1
                    value |= UInt32(byte & 0x7f) << shift
                    if byte < 0x80 { return Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1) }
                    shift += 7
                }
            }
            func text() -> String {
                let count = Int(number())
                defer { position += count }
                return String(
                    decoding: UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)]),
                    as: UTF8.self
                )
            }
            func float() -> Float {
                defer { position += 4 }
                return bytes.loadUnaligned(fromByteOffset: position, as: Float.self)
            }
            var hero = Superhero(id: number(), affiliation: number(), name: text(), life: float(), energy: float())
            let count = Int(number())
            hero.powers.reserveCapacity(count)
            for _ in 0..<count {
                hero.powers.append(
                    Power(id: number(), name: text(), damage: float(), energy: float(), passive: bytes[position] == 1)
                )
                position += 1
            }
            return hero
        }
    }

    /// Reads the newer version's data into reused memory.
    struct Sink: AvroSink {
        var hero = Newer()
        private var power = Power()
        private var field = 0
        private var isInPower = false

        mutating func null(_ type: Int) {}
        mutating func boolean(_ value: Bool, _ type: Int) { power.passive = value }

        mutating func int(_ value: Int32, _ type: Int) { if isInPower { power.id = value } else { hero.team = value } }
        mutating func long(_ value: Int64, _ type: Int) { hero.id = value }

        mutating func float(_ value: Float, _ type: Int) {
            switch (isInPower, field) {
            case (true, 2): power.damage = value
            case (true, _): power.energy = value
            case (false, 1): hero.life = value
            case (false, _): hero.energy = value
            }
        }

        mutating func double(_ value: Double, _ type: Int) {}
        mutating func bytes(_ value: UnsafeRawBufferPointer, _ type: Int) {}

        mutating func string(_ utf8: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
            let text = try AvroText.string(utf8)
            if isInPower { power.name = text } else { hero.name = text }
        }

        mutating func fixed(_ value: UnsafeRawBufferPointer, _ type: Int) {}
        mutating func enumeration(_ symbol: Int, _ type: Int) {}
        mutating func branch(_ index: Int, of type: Int) {}
        mutating func beginRecord(_ type: Int) {}
        mutating func field(_ index: Int) { field = index }

        mutating func endRecord() { if isInPower { hero.powers.append(power) } }

        mutating func beginArray(_ type: Int) {
            hero.powers.removeAll(keepingCapacity: true)
            isInPower = true
        }

        mutating func endArray() { isInPower = false }
        mutating func beginMap(_ type: Int) {}
        mutating func key(_ utf8: UnsafeRawBufferPointer) {}
        mutating func endMap() {}
    }
}
