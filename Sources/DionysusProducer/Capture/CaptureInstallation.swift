import Crypto
import Dionysus

/// The triggers of a declaration as they stand in the database.
///
/// What was installed is noted in `dionysus_meta`, so that it can be compared with what the declaration asks for.
struct CaptureInstallation: Sendable {
    let plan: CapturePlan
    let catalogue: Catalogue
    let support: any OutboxSupport
    let dialect: any SQLDialect

    private static let prefix = "capture:"

    init(_ registry: Registry, _ catalogue: Catalogue, _ database: any CapturingDatabase) {
        plan = CapturePlan(registry, catalogue: catalogue)
        self.catalogue = catalogue
        support = database.outbox
        dialect = database.dialect
    }

    /// Installs the triggers in place of all that are there.
    func install(in transaction: inout Transaction) throws {
        for table in try support.capturedTables(in: &transaction) {
            try transaction.run(support.triggerRemoval(table: table))
        }
        try transaction.run("DELETE FROM dionysus_meta WHERE name LIKE \(Self.prefix + "%")")
        guard let outbox = try transaction.describe(table: "dionysus_outboxes") else { return }
        for capture in plan.tables {
            guard let table = catalogue[capture.table] else { continue }
            try transaction.run(support.triggers(for: capture, on: table, outbox: outbox))
            let triggers = try transaction.describe(table: capture.table).map(Self.triggers(of:)) ?? ""
            let note = "\(signature(of: capture, on: table, outbox)) \(triggers)"
            try transaction.run(
                "INSERT INTO dionysus_meta (name, value) VALUES (\(Self.prefix + capture.table), \(note))"
            )
        }
    }

    /// In what the installed triggers differ from what the declaration asks for, a line each.
    func faults(in transaction: inout Transaction) throws -> [String] {
        guard let outbox = try transaction.describe(table: "dionysus_outboxes"),
            try transaction.describe(table: "dionysus_meta") != nil
        else { return ["there is no table dionysus_outboxes: run migrate"] }
        let notes = try transaction.run("SELECT name, value FROM dionysus_meta WHERE name LIKE \(Self.prefix + "%")")
        let noted = Dictionary(
            try notes.rows.map { (try $0.text(0) ?? "", try $0.text(1) ?? "") },
            uniquingKeysWith: { first, _ in first }
        )
        let captured = Set(try support.capturedTables(in: &transaction))
        var expected: Set<String> = []
        var faults: [String] = []
        for capture in plan.tables {
            guard let table = catalogue[capture.table] else { continue }
            expected.formUnion([capture.table] + table.partitions)
            let triggers = Self.triggers(of: table)
            if triggers.isEmpty {
                faults.append("table \(capture.table) has no capture triggers: run migrate")
            } else if noted[Self.prefix + capture.table] != "\(signature(of: capture, on: table, outbox)) \(triggers)" {
                faults.append(
                    "the capture triggers of table \(capture.table) are not those of the declaration: run migrate"
                )
            }
            for partition in table.partitions where !captured.contains(partition) {
                faults.append("partition \(partition) of table \(capture.table) has no capture triggers: run migrate")
            }
        }
        let tables = plan.tables.map(\.table)
        for table in captured.subtracting(expected).sorted()
        where !tables.contains(where: { $0.hasSuffix(".\(table)") || table.hasSuffix(".\($0)") }) {
            faults.append("table \(table) has capture triggers, which the declaration does not ask for: run migrate")
        }
        return faults
    }

    private static func triggers(of table: TableDescription) -> String {
        table.triggers.filter { $0.hasPrefix("dionysus_capture_") }.sorted().joined(separator: " ")
    }

    /// A hash of what matters of the triggers' text; not of the partitions that they are on.
    private func signature(of capture: TableCapture, on table: TableDescription, _ outbox: TableDescription) -> String {
        var table = table
        table.partitions = []
        let statements = support.essence(of: capture, on: table, outbox: outbox)
        let text = statements.map { $0.rendered(for: dialect).text }.joined(separator: ";")
        return SHA256.hash(data: Array(text.utf8)).prefix(16)
            .map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
            .joined()
    }
}
