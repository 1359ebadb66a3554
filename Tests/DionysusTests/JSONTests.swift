import Dionysus
import Foundation
import Testing

@Suite struct JSONTests {
    @Test("numbers keep their digits, and objects the order of their members")
    func digits() throws {
        let text = #"{"b":1.50,"a":18446744073709551615,"c":-9223372036854775808,"d":1e400,"e":[true,false,null]}"#
        #expect(try JSON(parsing: Array(text.utf8)).text == text)
    }

    @Test("strings with any content survive a round trip")
    func strings() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let scalars = (0..<Int.random(in: 0...20, using: &random))
                .compactMap { _ in
                    Unicode.Scalar(UInt32.random(in: 0...0x10ffff, using: &random))
                }
            let text = String(String.UnicodeScalarView(scalars))
            let bytes = JSON.string(text).bytes
            #expect(try JSON(parsing: bytes) == .string(text))
            let foundation = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(foundation as? String == text)
        }
    }

    @Test("escapes are parsed, including surrogate pairs")
    func escapes() throws {
        let parsed = try JSON(parsing: Array(#""\u0026 \u003c \ud83d\ude00 \n\t\"\\\/""#.utf8))
        #expect(parsed == .string("& < 😀 \n\t\"\\/"))
    }

    @Test(
        "invalid JSON is refused with its position",
        arguments: [
            "", " ", "{", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", "-", "1e", "tru", "\"\u{1}\"",
            "\"\\x\"", "\"\\ud800\"", "\"abc", "1 2", "[1]]", "nul", "+1", ".5", "'a'",
        ]
    )
    func malformed(_ text: String) {
        #expect {
            try JSON(parsing: Array(text.utf8))
        } throws: { error in
            (error as? DionysusError)?.code == .malformed && "\(error)".contains("at byte")
        }
    }

    @Test("nesting beyond the limit is refused instead of crashing")
    func nesting() throws {
        let deep = Array(repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: DionysusError.self) { try JSON(parsing: deep) }
        let allowed = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        #expect(try JSON(parsing: Array(allowed.utf8)).text == allowed)
    }

    @Test("bytes that are not UTF-8 are refused")
    func encoding() {
        #expect(throws: DionysusError.self) { try JSON(parsing: [0x22, 0xff, 0xfe, 0x22]) }
    }

    @Test("no damaged document is accepted that Foundation refuses, and accepted ones can be written")
    func damaged() throws {
        let document = Array(
            #"{"message":[{"event":"a_created","data":[{"id":1,"x":"y\n\u00e9","t":[1.5,true]}]}]}"#.utf8
        )
        var random = SystemRandomNumberGenerator()
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = document
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0x20...0x7e, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: index)
                }
            }
            guard let ours = try? JSON(parsing: bytes) else { continue }
            accepted += 1
            #expect(throws: Never.self, "\(String(decoding: bytes, as: UTF8.self))") {
                try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            }
            #expect(try JSON(parsing: ours.bytes) == ours)
        }
        #expect(accepted > 1_000)
    }
}
