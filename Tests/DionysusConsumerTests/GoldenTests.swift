import Dionysus
import DionysusConsumer
import Foundation
import TestSupport
import Testing

@Suite struct GoldenTests {
    @Test(arguments: TestDatabaseKind.available)
    func `messages that dionysus-rb published give the replica that they describe`(_ kind: TestDatabaseKind)
        async throws
    {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(try Self.messages())
            try await replica.consume()
            let expected = try Self.json("expected.json")
            for table in ["accounts", "rentals", "bookings", "bookings_fees"] {
                try await compare(expected[table], with: table, in: replica)
            }
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_failures") == ["0"])
        }
    }

    private func compare(_ expected: JSON?, with table: String, in replica: ReplicaHarness) async throws {
        guard case .array(let rows)? = expected, case .object(let first)? = rows.first else {
            throw DionysusError(.malformed, "no rows are expected in \(table)")
        }
        let columns = first.members.map(\.name)
        let names = columns.map { "\(identifier: $0)" as SQL }.joined(separator: ", ")
        let visible: SQL = columns.contains("synced_canceled_at") ? "synced_canceled_at IS NULL" : "true"
        let found = try await replica.rows(
            "SELECT \(names) FROM \(identifier: table) WHERE \(visible) ORDER BY synced_id"
        )
        let wanted = rows.map { row in columns.map { Self.text(row[$0]) }.joined(separator: " ") }
        #expect(found == wanted, "\(table)")
    }

    private static func text(_ json: JSON?) -> String {
        switch json {
        case .string(let text)?: ExactDecimal(text)?.shortest ?? text
        case .null?, nil: "-"
        case let value?: value.text
        }
    }

    /// All messages in the order of the files, for the topics that are read.
    static func messages() throws -> [WireMessage] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory()).filter { $0.hasSuffix(".jsonl") }
        return try names.sorted()
            .flatMap { name in
                try text(name).split(separator: "\n")
                    .map { line in
                        let line = try JSON(parsing: Array(line.utf8))
                        return WireMessage(
                            line["topic"]?.string ?? "",
                            partition: Int32(text(line["partition"])) ?? 0,
                            key: line["key"]?.string,
                            value: line["payload"]?.string
                        )
                    }
            }
    }

    private static func directory() throws -> String { try #require(Bundle.module.resourcePath) + "/Golden" }

    private static func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(directory())/\(name)", encoding: .utf8)
    }

    private static func json(_ name: String) throws -> JSON { try JSON(parsing: Array(text(name).utf8)) }
}

extension JSON {
    fileprivate var string: String? { if case .string(let text) = self { text } else { nil } }
}
