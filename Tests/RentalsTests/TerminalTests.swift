import Dionysus
import Foundation
import TestSupport
import Testing

/// Outside data can't control the terminal or the log in which it is shown.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct TerminalTests {
    /// Escapes, line breaks, other control characters, direction marks, invisible characters.
    static let hostile = [
        "\u{1b}[2J\u{1b}]0;title\u{07}", "1\nrow 2 is published", "1\r2", "\u{9b}31m", "\u{7f}\u{08}\u{00b}", "a\tb",
        "\u{202e}live\u{202c}", "\u{2066}a\u{2069}\u{200f}", "a\u{200b}b\u{200d}c\u{feff}", "\u{2028}\u{2029}\u{85}",
        "\u{e0041}\u{fe0f}\u{3164}\u{ad}", "\u{fffe}",
    ]

    @Test(
        "outbox rows with any id are shown in one line each, and completely as JSON",
        arguments: InstallationKind.available
    )
    func outbox(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            for (index, text) in Self.hostile.enumerated() {
                let column = index % 2 == 0 ? "resource_id" : "topic"
                try await installation.write(
                    """
                    INSERT INTO dionysus_outboxes
                      (resource_class, \(column), \(column == "topic" ? "resource_id" : "topic"), event_name,
                       error_class, created_at, updated_at)
                    VALUES ('Ghost', \(Self.literal(text, kind)), 'x', \(Self.literal(text, kind)),
                       \(Self.literal(text, kind)), CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
                    """
                )
            }
            let list = try await installation.succeed("outbox", "list")
            #expect(list.split(separator: "\n").count == Self.hostile.count + 1, "\(list)")
            Self.expectHarmless(list)
            Self.expectHarmless(try await installation.succeed("outbox", "stats"))
            let json = try await installation.succeed("outbox", "list", "--json")
            Self.expectHarmless(json)
            guard case .array(let rows)? = try JSON(parsing: Array(json.utf8))["rows"] else {
                Issue.record("no rows: \(json)")
                return
            }
            #expect(rows.map { $0["event"] } == Self.hostile.map(JSON.string))
            let id = try #require(rows.first?["id"]).text
            let shown = try await installation.succeed("outbox", "show", id)
            Self.expectHarmless(shown)
            #expect(shown.contains("\\u001b[2J"))

            for format in LogLines.allCases {
                var logging = installation
                logging.environment["DIONYSUS_LOG_FORMAT"] = format.rawValue
                let result = try await logging.run("relay", "--until-empty")
                Self.expectHarmless(result.errors)
                #expect(!result.errors.contains("\nrow 2 is published"))
                guard format == .json else { continue }
                // The command also reports the remaining rows.
                let lines = result.errors.split(separator: "\n").filter { $0.hasPrefix("{") }
                #expect(!lines.isEmpty)
                for line in lines {
                    let entry = try JSON(parsing: Array(line.utf8))
                    for member in ["time", "level", "label", "message"] { #expect(entry[member] != nil, "\(line)") }
                }
            }
        }
    }

    @Test("messages with any key and content are shown in one line each", arguments: InstallationKind.available)
    func failures(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("topics", "--create")
            try await installation.withBroker { broker in
                let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
                let messages = Self.hostile.map { text in
                    OutgoingMessage(
                        topic: "v3_accounts",
                        destination: .partition(0),
                        key: Array("Account:\(text)".utf8),
                        value: Array(#"{"message":[{"event":"\#(text)","model_name":1}]}"#.utf8)
                    )
                }
                for result in await producer.send(messages) { _ = try result.get() }
                await producer.close(deadline: .seconds(10))
            }
            let consumed = try await installation.run("consume", "--until-caught-up")
            Self.expectHarmless(consumed.errors)
            for command in [["failures", "list"], ["failures", "list", "--json"], ["events", "list"], ["lag"]] {
                let result = try await installation.run(command)
                Self.expectHarmless(result.output + result.errors)
                if command == ["failures", "list"] {
                    #expect(result.output.split(separator: "\n").count <= Self.hostile.count + 1)
                }
            }
        }
    }

    @Test("an error that quotes its input is one harmless line", arguments: hostile)
    func errors(_ text: String) async throws {
        try await Installation.with(.embedded) { installation in
            try await installation.succeed("migrate")
            var environment = installation
            environment.environment["DIONYSUS_CLIENT_ID"] = text.replacing("\0", with: "")
            for arguments in [["tombstone", "v3_rentals", text, text], ["genesis", "start", text, text], ["config"]] {
                let result = try await environment.run(arguments)
                Self.expectHarmless(result.output + result.errors)
                #expect(result.errors.split(separator: "\n").count <= 1, "\(result.errors)")
            }
        }
    }

    enum LogLines: String, CaseIterable {
        case text
        case json
    }

    private static func literal(_ text: String, _ kind: InstallationKind) -> String {
        let hex = Array(text.utf8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return kind == .embedded ? "CAST(x'\(hex)' AS TEXT)" : "convert_from('\\x\(hex)'::bytea, 'UTF8')"
    }

    private static func expectHarmless(_ text: String, location: SourceLocation = #_sourceLocation) {
        let found = text.unicodeScalars.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control: scalar != "\n"
            case .format, .lineSeparator, .paragraphSeparator, .unassigned: true
            default: [0xfe0f, 0x3164].contains(scalar.value)
            }
        }
        #expect(found.isEmpty, "\(found.map { String($0.value, radix: 16) })", sourceLocation: location)
    }
}
