import Dionysus
import TestSupport

/// Messages that nobody should send: seeded, so that a failure can be repeated.
struct HostileInput {
    /// A topic's message, as bytes.
    struct Message: Sendable {
        var key: [UInt8]?
        var value: [UInt8]?
        var headers: [MessageHeader]
    }

    private var random: SeededGenerator
    private var count = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// The next message.
    mutating func message() -> Message {
        count += 1
        return Message(key: key(), value: value(), headers: headers())
    }

    /// A few messages of ten megabytes, each of which is costly in another way.
    static func giants() -> [[UInt8]] {
        let size = 10_000_000
        func event(_ payload: String) -> [UInt8] {
            Array(#"{"message":[{"event":"rental_created","model_name":"Rental","data":[\#(payload)]}]}"#.utf8)
        }
        func many(_ size: Int = size, _ element: (Int) -> String) -> String {
            var parts: [String] = []
            var length = 0
            while length < size {
                let part = element(parts.count)
                parts.append(part)
                length += part.utf8.count + 1
            }
            return parts.joined(separator: ",")
        }
        return [
            event(#"{"id":9000001,"color":"\#(String(repeating: "x", count: size))"}"#),
            event(#"{"id":9000002,"price":\#(String(repeating: "9", count: size))}"#),
            event(#"{"id":9000003,"price":0.\#(String(repeating: "0", count: size))1}"#),
            event(#"{"id":9000004,"colors":[\#(many(size / 4) { _ in #"{"a":1}"# })]}"#),
            event(#"{"id":9000005,\#(many(size / 10) { #""\#($0)":1"# })}"#),
            event(#"{"id":9000006,"x0":{"id":1},"links":{\#(many(size / 10) { #""x\#($0)":1"# })}}"#),
            event(
                """
                {"id":9000007,"links":{\(many(size / 10) { #""x\#($0)":[]"# })},\
                \(many(size / 10) { #""x\#($0)":[]"# })}
                """
            ),
            Array(repeating: UInt8(ascii: "["), count: size),
            Array(repeating: 0xff, count: size),
            event(#"{"id":9000008,"\#(String(repeating: "é", count: size / 2))":1}"#),
        ]
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func bytes(upTo length: Int) -> [UInt8] {
        (0..<Int.random(in: 0...length, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: choices.indices, using: &random)] }

    private mutating func key() -> [UInt8]? {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: nil
        case 1: bytes(upTo: 40)
        case 2: Array(pick(["", ":", "Rental:", ":1", "Rental", "a:b:c", "Rental:\0", "::"]).utf8)
        default: Array("Rental:\(count)".utf8)
        }
    }

    private mutating func headers() -> [MessageHeader] {
        guard chance(10) else { return chance(50) ? [MessageHeader(HeaderName.version, Array("\(count)".utf8))] : [] }
        let names = [HeaderName.version, HeaderName.eventID, "traceparent", "", "x\0y", "h\u{e9}"]
        return (0..<Int.random(in: 1...5, using: &random))
            .map { _ in
                let value: [UInt8] =
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes(upTo: 30)
                    case 1: Array(pick(["1", "-1", "9223372036854775808", "", "1.5", "\0", "0x1"]).utf8)
                    default: Array("\(Int.random(in: 0...9, using: &random))".utf8)
                    }
                return MessageHeader(pick(names), value)
            }
    }

    private mutating func value() -> [UInt8]? {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<2: return nil
        case 2..<4: return Array(pick(["null", "", "true", "0", "[]", "{}", " ", "\u{feff}{}", "nul"]).utf8)
        case 4..<14: return bytes(upTo: 120)
        case 14..<29: return truncated(envelope(payload()))
        case 29..<44: return altered(envelope(payload()))
        case 44..<50: return envelope(nested())
        case 50..<74: return envelope(payload())
        default: return envelope(Array(#"{"id":\#(count),"name":"villa \#(count)","links":{"account":1}}"#.utf8))
        }
    }

    private mutating func truncated(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.prefix(Int.random(in: 0..<max(1, bytes.count), using: &random)))
    }

    private mutating func altered(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            default: bytes.insert(pick([0x22, 0x5c, 0x7b, 0x7d, 0x2c, 0x00, 0xc3, 0x30]), at: place)
            }
        }
        return bytes
    }

    private mutating func nested() -> [UInt8] {
        let depth = pick([3, 20, 100, 250, 2_000])
        let (open, close) = pick([("[", "]"), (#"{"a":"#, "}"), (#"{"id":1,"links":{"account":1},"account":"#, "}")])
        let inner = String(repeating: open, count: depth) + "null" + String(repeating: close, count: depth)
        return Array(#"{"id":\#(count),"links":{"account":1},"\#(pick(["account", "color", "id"]))":\#(inner)}"#.utf8)
    }

    private mutating func envelope(_ payload: [UInt8]) -> [UInt8] {
        let isOdd = chance(6)
        let event = isOdd ? pick([#""rental_exploded""#, #""_created""#, #""""#, "null", "1", #""x_destroyed""#]) : nil
        let models = [#""Spaceship""#, #""../x""#, #""""#, "null", #""Re\u0000ntal""#, #""rental""#]
        let model = chance(4) ? pick(models) : nil
        let name = event ?? #""rental_\#(pick(["created", "updated", "destroyed"]))""#
        let head = #"{"message":[{"event":\#(name),"model_name":\#(model ?? #""Rental""#),"data":["#
        return Array(head.utf8) + payload + Array("]}]}".utf8)
    }

    /// A payload of which members have values of the wrong type, or come twice.
    private mutating func payload() -> [UInt8] {
        var members = [#""id":\#(chance(90) ? "\(count)" : scalar())"#]
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let name = pick([
                "name", "price", "bedrooms", "check_in_time", "created_at", "updated_at", "canceled_at", "color", "id",
                "synced_id", "synced_version", "", "links", "account", "bookings",
            ])
            members.append(#""\#(name)":\#(member(name))"#)
        }
        if chance(50) { members.append(#""links":{"account":\#(scalar()),"bookings":\#(member("bookings"))}"#) }
        return Array("{\(members.joined(separator: ","))}".utf8)
    }

    private mutating func member(_ name: String) -> String {
        // Names are unique, and whole numbers small, so that the database itself has little to refuse.
        switch name {
        case "name" where chance(98): #""name \#(count)""#
        case "bedrooms" where chance(90), "check_in_time" where chance(90): "\(Int.random(in: 0...9, using: &random))"
        case "links" where chance(50): #"{"account":1,"owner":{"id":1,"type":"\#(pick(["Account", "", "'"]))"}}"#
        case "bookings" where chance(50): #"[{"id":\#(Int.random(in: 1...50, using: &random)),"links":{"rental":1}}]"#
        case "updated_at" where chance(50): "\"2026-01-01T00:00:\(Int.random(in: 10...59, using: &random))Z\""
        default: scalar()
        }
    }

    private mutating func scalar() -> String {
        pick([
            "null", "true", "false", "0", "-1", "1.5", "1e400", "-1e-400", "99999999999999999999", "1E+2", "-0", "[]",
            "{}", "[1]", #"{"id":1}"#, #"{"id":1,"type":"Account"}"#, #""""#, #""x""#, #""2026-02-30""#,
            #""2026-01-01T00:00:00.000000000000001+23:59""#, #""1e-9223372036854775808""#, #""nan""#,
            #""\ud83d\ude00""#, #""\ud800""#,
        ])
    }
}
