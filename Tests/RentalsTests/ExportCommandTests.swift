import Crypto
import Dionysus
import Foundation
import TestSupport
import Testing

/// The command that writes records and messages to files.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct ExportCommandTests {
    @Test("records are exported as they would be published", arguments: InstallationKind.available)
    func records(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.seedThreeRentals()
            try await withTemporaryDirectory { directory in
                let lines = directory + "/lines"
                try await installation.succeed("export", "Rental", "--to", lines)
                let records = try text(lines, "Rental.jsonl").split(separator: "\n").map { try JSON(parsing: $0.utf8) }
                #expect(records.map { $0["id"] } == [.integer(1), .integer(2)])
                #expect(records.first?["name"] == .string("Villa, \"Blue\"\n"))
                #expect(records.first?["price"] == .string("12.50") || records.first?["price"] == .number("12.50"))
                #expect(records.first?["check_in_time"] == .integer(15))
                #expect(records.first?["account_id"] == .integer(7))
                #expect(records.first?["links"] == nil)
                try expectManifest(lines, records: 2, files: ["Rental.jsonl"])

                let table = directory + "/table"
                try await installation.succeed(
                    "export",
                    "Rental",
                    "--to",
                    table,
                    "--format",
                    "csv",
                    "--with-soft-deleted"
                )
                let csv = try text(table, "Rental.csv")
                #expect(
                    csv.hasPrefix("id,name,price,bedrooms,check_in_time,canceled_at,created_at,updated_at,account_id\n")
                )
                #expect(csv.contains("1,\"Villa, \"\"Blue\"\"\n\",12.50,1,15,,"))
                #expect(csv.contains("\n2,\"a,\u{301}b\",1.00,"))
                #expect(csv.contains("\n3,"))
                try expectManifest(table, records: 3, files: ["Rental.csv"])

                let days = directory + "/days"
                try await installation.succeed(
                    "export",
                    "Rental",
                    "--to",
                    days,
                    "--by",
                    "day",
                    "--until",
                    "2026-02-01T00:00:00Z"
                )
                #expect(try text(days, "Rental-2026-01-31.jsonl").contains("\"id\":2"))
                try expectManifest(days, records: 1, files: ["Rental-2026-01-31.jsonl"])

                let again = try await installation.run("export", "Rental", "--to", lines)
                #expect(again.status == 1 && again.errors.contains("holds an export that is complete"))
            }
        }
    }

    @Test("the messages of a topic are exported", arguments: InstallationKind.available)
    func messages(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.seedThreeRentals()
            try await installation.succeed("relay", "--until-empty")
            let sent = try await installation.withBroker { try await readRaw("v3_rentals", from: $0).count }
            try await withTemporaryDirectory { directory in
                try await installation.succeed("export", "v3_rentals", "--to", directory + "/t")
                let lines = try text(directory + "/t", "v3_rentals.jsonl").split(separator: "\n")
                #expect(lines.count == sent && sent >= 3)
                let first = try JSON(parsing: lines[0].utf8)
                #expect(first["topic"] == .string("v3_rentals") && first["events"] != .null)
                try expectManifest(directory + "/t", records: sent, files: ["v3_rentals.jsonl"])

                let none = try await installation.run("export", "v3_nothing", "--to", directory + "/n")
                #expect(none.status == 1)
                #expect(none.errors.contains("neither a published model nor a topic"))
            }
        }
    }

    @Test("an export that is killed goes on where it was", arguments: [InstallationKind.embedded])
    func killed(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            let rows = (1...9_000).map { "(\($0), 'Account \($0) \(String(repeating: "x", count: 1_000))')" }
            for start in stride(from: 0, to: rows.count, by: 1_000) {
                let values = rows[start..<start + 1_000].joined(separator: ", ")
                try await installation.write("INSERT INTO accounts (id, name) VALUES \(values);")
            }
            try await withTemporaryDirectory { directory in
                let files = directory + "/e"
                let export = try installation.start("export", "Account", "--to", files)
                while !Task.isCancelled, !FileManager.default.fileExists(atPath: files + "/.export.json") {
                    await Task.yield()
                }
                export.signal(SIGKILL)
                _ = await export.result()
                let partial = files + "/Account.jsonl.partial"
                if FileManager.default.fileExists(atPath: partial) {
                    // What a kill in the middle of a write leaves behind.
                    let file = try #require(FileHandle(forWritingAtPath: partial))
                    try file.seekToEnd()
                    try file.write(contentsOf: Data("{\"id\":".utf8))
                    try file.close()
                    #expect(!FileManager.default.fileExists(atPath: files + "/Account.jsonl"))
                }
                let other = try await installation.run("export", "Account", "--to", files, "--format", "csv")
                #expect(other.status == 1 && other.errors.contains("a part of another export"))
                try await installation.succeed("export", "Account", "--to", files)
                let ids = try text(files, "Account.jsonl").split(separator: "\n")
                    .map { try JSON(parsing: $0.utf8)["id"] }
                #expect(ids == (1...9_000).map { .integer($0) })
                try expectManifest(files, records: 9_000, files: ["Account.jsonl"])
            }
        }
    }

    private func text(_ directory: String, _ name: String) throws -> String {
        try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
    }

    /// Checks that the directory holds what its manifest says, and nothing else.
    private func expectManifest(
        _ directory: String,
        records: Int,
        files: [String],
        location: SourceLocation = #_sourceLocation
    ) throws {
        let manifest = try JSON(parsing: text(directory, "manifest.json").utf8)
        #expect(manifest["records"] == .integer(Int64(records)), sourceLocation: location)
        guard case .array(let entries)? = manifest["files"] else {
            Issue.record("no files", sourceLocation: location)
            return
        }
        #expect(entries.map { $0["name"] } == files.map(JSON.string), sourceLocation: location)
        for (name, entry) in zip(files, entries) {
            let data = try Data(contentsOf: URL(filePath: "\(directory)/\(name)"))
            let digest = SHA256.hash(data: data).map { String(format: "%02x", $0) }.joined()
            #expect(entry["sha256"] == .string(digest), sourceLocation: location)
            #expect(entry["bytes"] == .integer(Int64(data.count)), sourceLocation: location)
        }
        let found = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        #expect(found == (files + ["manifest.json"]).sorted(), sourceLocation: location)
    }
}

extension Installation {
    /// A rental that was updated in February, one in January, and one that is soft-deleted.
    fileprivate func seedThreeRentals() async throws {
        try await succeed("migrate")
        try await succeed("topics", "--create")
        try await write(
            """
            INSERT INTO accounts (id, name, default_check_in_time) VALUES (7, 'Acme', 15);
            INSERT INTO rentals (id, account_id, name, price, updated_at)
              VALUES (1, 7, 'Villa, "Blue"\n', 12.5, '2026-02-03T10:00:00.000000Z');
            INSERT INTO rentals (id, account_id, name, price, updated_at)
              VALUES (2, 7, 'a,\u{301}b', 1, '2026-01-31T23:59:59.000000Z');
            INSERT INTO rentals (id, account_id, name, price, canceled_at, updated_at)
              VALUES (3, 7, 'Gone', 1, '2026-02-03T10:00:00.000000Z', '2026-02-03T10:00:00.000000Z');
            """
        )
    }
}
