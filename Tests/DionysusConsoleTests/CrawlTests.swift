import Dionysus
import DionysusConsole
import TestSupport
import Testing

/// Follows every link of every page.
struct CrawlTests {
    enum State: String, Sendable, CaseIterable {
        case empty
        case full
        case failing
        case readOnly
    }

    @Test(arguments: TestDatabaseKind.available, State.allCases)
    func `no link is dead, no page is broken, and no value is markup`(_ kind: TestDatabaseKind, _ state: State)
        async throws
    {
        var settings = ConsoleSettings()
        settings.isReadOnly = state == .readOnly
        try await Shop.with(kind, settings) { shop in
            if state != .empty { try await shop.fill() }
            if state == .failing { try await shop.refuseAccounts() }
            if state != .empty {
                try await shop.relay()
                try await shop.consume()
                // Something waits, and something has failed.
                try await shop.write(
                    "UPDATE rentals SET name = '<i>new</i>', updated_at = '2036-01-01 00:00:00' WHERE id = 42"
                )
            }
            if state == .failing {
                try await shop.write(
                    "UPDATE dionysus_outboxes SET failed_at = created_at, error_class = 'application', error_message = '<u>no</u>' WHERE published_at IS NULL"
                )
            }
            try await shop.serving { (visitor: Visitor) async throws in try await crawl(visitor, state) }
        }
    }

    private func crawl(_ visitor: Visitor, _ state: State) async throws {
        var waiting = ["/"]
        var seen: Set<String> = ["/"]
        var visited = 0
        while let path = waiting.popLast(), visited < 400 {
            visited += 1
            let answer = try await visitor.get(path)
            #expect([200, 303].contains(answer.status), "\(path): \(answer.status)")
            for markup in ["<script>", "<i>new", "<u>no", "<b>Sea", "HTML(text:", "&lt;span"] {
                #expect(!answer.text.contains(markup), "\(path) has \(markup)")
            }
            if state == .readOnly { #expect(!answer.text.contains("method=\"post\""), "\(path) has a form") }
            guard answer.headers["content-type"]?.hasPrefix("text/html") == true else { continue }
            let faults = Markup.faults(in: answer.text)
            #expect(faults.isEmpty, "\(path): \(faults)")
            for link in answer.text.matches(of: /(?:href|src)="([^"#]*)"/).map({ String($0.1) }) {
                #expect(link.hasPrefix("/"), "\(path) leads to \(link)")
                let next = link.replacing("&amp;", with: "&").replacing("&#39;", with: "'")
                if seen.insert(next).inserted { waiting.append(next) }
            }
        }
        #expect(visited > 12)
    }
}

/// Whether markup is well-formed: all elements are closed in their order, and no id is there twice.
enum Markup {
    private static let void: Set<String> = ["meta", "link", "input", "br", "img", "hr"]

    static func faults(in text: String) -> [String] {
        var (open, faults, ids): ([String], [String], Set<String>) = ([], [], [])
        for match in text.matches(of: /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z:_\-]+(?:="[^"]*")?)*)\s*(\/?)>/) {
            let name = match.2.lowercased()
            if let id = match.3.firstMatch(of: /\sid="([^"]*)"/)?.1, !ids.insert(String(id)).inserted {
                faults.append("two elements have the id \(id)")
            }
            if match.1 == "/" {
                guard open.last == name else {
                    faults.append("</\(name)> closes \(open.last ?? "nothing")")
                    return faults
                }
                open.removeLast()
            } else if match.4.isEmpty, !void.contains(name) {
                open.append(name)
            }
        }
        if !open.isEmpty { faults.append("\(open) stay open") }
        // What remains of tags that the expression doesn't know.
        let rest = text.replacing(/<\/?[a-zA-Z][a-zA-Z0-9]*(?:\s+[a-zA-Z:_\-]+(?:="[^"]*")?)*\s*\/?>/, with: "")
            .replacing("<!DOCTYPE html>", with: "")
        if rest.contains("<") { faults.append("a < that begins no element") }
        return faults
    }
}
