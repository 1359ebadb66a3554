import Dionysus
import DionysusFile
import Foundation
import TestSupport
import Testing

/// Whatever a file holds, reading it ends soon, with a fault.
struct HostileFileTests {
    private static func nested(_ open: String, _ close: String, _ depth: Int) -> String {
        "dionysus: " + String(repeating: open, count: depth) + String(repeating: close, count: depth)
    }

    static let texts: [(String, String)] = [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("a", "must be"),
        ("[]", "must be"),
        ("dionysus: 1\n---\ndionysus: 1\n", "another document"),
        ("dionysus: 1\ndionysus: 1\n", "written twice"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
        ("a: *a\n", "alias"),
        ("? [a, b]\n: c\n", "a key must be a name"),
        ("dionysus: 1\n\tname: x\n", "f.yml:2:"),
        ("dionysus: \"\\xZZ\"\n", "f.yml:1:"),
        ("dionysus: 1\nname: \"x\n", "f.yml:"),
        ("dionysus: 1\nname: {\n", "f.yml:"),
        ("dionysus: 1", "neither namespaces nor a replica"),
        (nested("[", "]", 30), "nested more than"),
        (nested("[", "]", 5_000), "f.yml:1:"),
        (nested("{a: ", "}", 5_000), "f.yml:1:"),
        (String(repeating: "- ", count: 5_000), "f.yml:1:"),
        ("dionysus: 1\nname: [" + String(repeating: "a,", count: 60_000) + "]", "more than 50000 values"),
        (String(repeating: "#", count: (1 << 20) + 1), "more than 1 MiB"),
        ("dionysus: 1\nname: \u{0}x\n", "f.yml:1:"),
        ("dionysus: 1\nmodels: { ? : { } }\n", "f.yml:"),
        ("%YAML 9.9\n---\ndionysus: 1\n", "f.yml:1:"),
        ("dionysus: !!binary aGk=\n", "must be"),
        ("dionysus: 1\nname: ${" + String(repeating: "x", count: 500_000) + "}\n", "not set"),
        ("dionysus: 1\n" + String(repeating: "k", count: 500_000) + ": 1\n", "f.yml:"),
    ]

    @Test(arguments: texts.indices) func `it is refused with its place`(_ index: Int) throws {
        let (text, message) = Self.texts[index]
        let error = #expect(throws: DionysusError.self) { try CompleteFile.read(text) }
        #expect(error?.message.hasPrefix("f.yml:") == true)
        #expect(error?.message.contains(message) == true, "\(error?.message.prefix(300) ?? "")")
    }

    @Test func `bytes that are no text are refused`() {
        #expect(throws: DionysusError.self) {
            try DeclarationFile(Data([0xFF, 0xFE, 0x00]), path: "f.yml", environment: [:], needsVariables: true)
        }
    }

    @Test func `a billion laughs end at once`() {
        let text = (1...30).reduce("a0: &a0 [x, x]\n") { $0 + "a\($1): &a\($1) [*a\($1 - 1), *a\($1 - 1)]\n" }
        #expect(throws: DionysusError.self) { try CompleteFile.read(text + "? *a30\n: x\n") }
    }

    @Test(arguments: 1...4) func `whatever is cut, doubled or exchanged, nothing crashes`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = Array(CompleteFile.text.utf8)
        for _ in 0..<250 {
            var copy = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<copy.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: copy.removeSubrange(place..<min(copy.count, place + Int.random(in: 1...40, using: &random)))
                case 1: copy.insert(contentsOf: copy[place..<min(copy.count, place + 30)], at: place)
                case 2: copy[place] = UInt8.random(in: 0...255, using: &random)
                default:
                    copy.insert(Array("{}[]:,-?&*|>\"'\n\t#%@`".utf8).randomElement(using: &random) ?? 0, at: place)
                }
                if copy.isEmpty { copy = bytes }
            }
            do {
                _ = try DeclarationFile(Data(copy), path: "f.yml", environment: [:], needsVariables: false)
            } catch {
                #expect(error is DionysusError)
            }
        }
    }
}
