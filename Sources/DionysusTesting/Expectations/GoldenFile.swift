public import Dionysus

import struct Foundation.Data
import class Foundation.FileManager
import class Foundation.ProcessInfo
import struct Foundation.URL

/// A file with the expected payload, stored next to the tests.
///
///     let payload = try #require(test.messages(in: "v3_rentals").first?.payload)
///     try GoldenFile("rental").expect(payload, ignoring: ["created_at", "updated_at"])
///
/// The file is `Golden/rental.json` in the folder of the test's source. `DIONYSUS_TEST_RECORD_GOLDEN=1` in the
/// environment rewrites the files; check the diff before you commit it.
public struct GoldenFile: Sendable {
    private let url: URL
    private let isRecording: Bool

    /// Names a file.
    /// - Parameters:
    ///   - name: Its name without the ending.
    ///   - directory: The folder; `Golden` next to the test's source by default.
    ///   - source: The test's source file.
    public init(_ name: String, in directory: String? = nil, beside source: String = #filePath) {
        let folder =
            directory.map { URL(filePath: $0) }
            ?? URL(filePath: source).deletingLastPathComponent().appending(path: "Golden")
        url = folder.appending(path: "\(name).json")
        let variable = ProcessInfo.processInfo.environment["DIONYSUS_TEST_RECORD_GOLDEN"] ?? ""
        isRecording = !variable.isEmpty && variable != "0"
    }

    /// Reads the file's document.
    /// - Returns: The document.
    /// - Throws: ``ExpectationFailure`` if there is no such file or it holds no JSON.
    public func read() throws -> JSON {
        guard let data = FileManager.default.contents(atPath: url.path) else {
            throw ExpectationFailure(
                expected: "a golden file \(url.path)",
                actual: "there is none: set DIONYSUS_TEST_RECORD_GOLDEN=1 to write it"
            )
        }
        do {
            return try JSON(parsing: Array(data))
        } catch {
            throw ExpectationFailure(expected: "JSON in \(url.path)", actual: "\(error)")
        }
    }

    /// Expects a document to equal the file's, with its members in the same order.
    /// - Parameters:
    ///   - document: The document.
    ///   - members: The names of members that differ from run to run, such as times; they must exist, and the file
    ///   contains `…` for them.
    /// - Throws: ``ExpectationFailure`` with the first difference, and if there is no such file.
    public func expect(_ document: JSON, ignoring members: Set<String> = []) throws {
        let actual = document.hiding(members)
        if isRecording {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data((actual.indented() + "\n").utf8).write(to: url)
            return
        }
        let expected = try read().hiding(members)
        guard expected != actual else { return }
        let (old, new) = (expected.indented().split(separator: "\n"), actual.indented().split(separator: "\n"))
        let line = zip(old, new).enumerated().first { $1.0 != $1.1 }?.offset ?? min(old.count, new.count)
        let shown = { (lines: [Substring]) in
            line < lines.count ? "«\(lines[line].trimmingPrefix { $0 == " " })»" : "its end"
        }
        throw ExpectationFailure(
            expected: "line \(line + 1) of \(url.lastPathComponent), \(shown(old))",
            actual: "it was \(shown(new)); DIONYSUS_TEST_RECORD_GOLDEN=1 rewrites the file"
        )
    }
}

extension JSON {
    fileprivate func hiding(_ names: Set<String>) -> JSON {
        switch self {
        case .object(let object):
            .object(
                JSON.Object(
                    object.members.map { member in
                        JSON.Object.Member(member.name, names.contains(member.name) ? "…" : member.value.hiding(names))
                    }
                )
            )
        case .array(let elements): .array(elements.map { $0.hiding(names) })
        default: self
        }
    }

    /// The document on several lines.
    fileprivate func indented(_ indent: String = "") -> String {
        let inner = indent + "  "
        switch self {
        case .object(let object) where !object.members.isEmpty:
            let members = object.members.map { "\(inner)\(JSON.string($0.name).text): \($0.value.indented(inner))" }
            return "{\n\(members.joined(separator: ",\n"))\n\(indent)}"
        case .array(let elements) where !elements.isEmpty:
            return "[\n\(elements.map { inner + $0.indented(inner) }.joined(separator: ",\n"))\n\(indent)]"
        default: return text
        }
    }
}
