import Dionysus

/// In what the functions, triggers and rights in the database differ from what the declaration asks for.
///
/// The catalogue itself is compared: what has been changed, dropped or opened is found, independently of earlier notes.
struct CaptureDifferences {
    let catalogue: CaptureCatalogue
    let outbox: CaptureOutbox
    let request: CaptureRequest
    /// The installed functions by their names.
    private let functions: [String: CaptureCatalogue.InstalledFunction]
    /// The installed triggers by the numbers of their tables.
    private let triggers: [Int64: [CaptureCatalogue.InstalledTrigger]]

    init(catalogue: CaptureCatalogue, outbox: CaptureOutbox, request: CaptureRequest) {
        self.catalogue = catalogue
        self.outbox = outbox
        self.request = request
        functions = Dictionary(catalogue.functions.map { ($0.name, $0) }) { first, _ in first }
        triggers = Dictionary(grouping: catalogue.triggers, by: \.relation.oid)
    }

    private var role: CaptureRole { CaptureRole(catalogue: catalogue, outbox: outbox) }

    func all(in transaction: inout Transaction) throws -> [CaptureDifference] {
        var differences: [CaptureDifference] = []
        let rights = request.tables.isEmpty ? [] : try role.statements(request.tables, in: &transaction)
        if !rights.isEmpty {
            differences.append(
                CaptureDifference(
                    fault: "role \(CaptureRole.name) lacks rights that the capture functions need: run migrate",
                    change: "gave role \(CaptureRole.name) the rights that capture functions need",
                    statements: rights
                )
            )
        }
        // One fixed order, in which locks are taken.
        for capture in request.tables.sorted(by: { name(of: $0) < name(of: $1) }) {
            guard let table = catalogue.tables[capture.table] else { continue }
            if let difference = try difference(of: capture, table) { differences.append(difference) }
        }
        return differences + unwanted()
    }

    private func name(of capture: TableCapture) -> String { catalogue.tables[capture.table]?.name ?? capture.table }

    // MARK: A captured table

    private func difference(of capture: TableCapture, _ table: CapturedTable) throws -> CaptureDifference? {
        let functions = CaptureFunctions(capture: capture, table: table, outbox: outbox, tables: catalogue.tables).all()
        var statements: [SQL] = []
        var handedOver: [String] = []
        var fits = true
        for function in functions {
            let name = functionName(table, function.operation)
            let installed = self.functions[name]
            if installed.map({ isCurrent($0, function) }) != true {
                statements.append(definition(of: function, named: name))
                fits = false
            }
            if installed == nil || installed?.isOpen == true || !fits {
                statements += closing(name)
                if installed?.isOpen == true { fits = false }
            }
            if let installed, installed.owner == role.owner { continue }
            handedOver.append(name)
            fits = fits && installed != nil && !role.isAvailable
        }
        statements += role.handOver(handedOver)
        let root = CapturedTable.Relation(oid: table.oid, name: table.name, displayName: capture.table)
        let missing = ([root] + table.children).map { relation in (relation, missingTriggers(on: relation, table)) }
        for (relation, operations) in missing {
            statements += operations.map { trigger($0, on: relation, table) }
            if !operations.isEmpty { statements += note(relation, table) }
        }
        guard !statements.isEmpty, !fits || missing.contains(where: { !$0.1.isEmpty }) else { return nil }
        return CaptureDifference(
            fault: fault(capture, fits: fits, missing),
            change: change(capture, fits: fits, missing),
            statements: statements
        )
    }

    private func fault(
        _ capture: TableCapture,
        fits: Bool,
        _ missing: [(CapturedTable.Relation, [CaptureOperation])]
    ) -> String {
        let ofTable = missing.first?.1 ?? []
        if ofTable.count == CaptureOperation.allCases.count {
            return "table \(capture.table) has no capture triggers: run migrate"
        }
        if !fits || !ofTable.isEmpty {
            return "the capture triggers of table \(capture.table) are not those of the declaration: run migrate"
        }
        let names = missing.filter { !$0.1.isEmpty }.map(\.0.displayName)
        return names.count == 1
            ? "partition \(names[0]) of table \(capture.table) has no capture triggers: run migrate"
            : "partitions \(names.joined(separator: ", ")) of table \(capture.table) have no capture triggers: run migrate"
    }

    private func change(
        _ capture: TableCapture,
        fits: Bool,
        _ missing: [(CapturedTable.Relation, [CaptureOperation])]
    ) -> String {
        let relations = missing.filter { !$0.1.isEmpty }.map(\.0.displayName)
        if relations.isEmpty { return "replaced the capture functions of table \(capture.table)" }
        return "installed capture triggers on \(relations.joined(separator: ", "))"
    }

    /// Short names for what stands beside the outbox and has an ordinary name; a hash distinguishes the others.
    private func functionName(_ table: CapturedTable, _ operation: CaptureOperation) -> String {
        let isPlain = table.baseName.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        let plain = "dionysus_capture_\(table.baseName)_\(operation.rawValue)"
        // FNV-1a.
        let hash = "\(table.schema)\u{0}\(table.baseName)".utf8
            .reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        let hashed = "dionysus_capture_\(String(hash, radix: 16))_\(operation.rawValue)"
        let isShort = isPlain && table.schema == outbox.schema && plain.utf8.count <= 63
        // A name that is taken is left alone.
        if let free = (isShort ? [plain, hashed] : [hashed]).first(where: { !catalogue.takenNames.contains($0) }) {
            return free
        }
        return (2...9).lazy.map { "\(hashed)_\($0)" }.first { !catalogue.takenNames.contains($0) } ?? hashed
    }

    /// Another outbox in the database may have a trigger on the table, too.
    private func triggerName(_ operation: CaptureOperation, on relation: CapturedTable.Relation) -> String {
        let plain = "dionysus_capture_\(operation.rawValue)"
        let candidates = [plain] + (2...9).map { "\(plain)_\($0)" }
        let installed = triggers[relation.oid]?
            .first { trigger in
                trigger.type == operation.catalogueType && candidates.contains(trigger.name)
            }
        if let installed { return installed.name }
        return candidates.first { !catalogue.takenTriggers.contains("\(relation.oid) \($0)") } ?? plain
    }

    private func isCurrent(
        _ installed: CaptureCatalogue.InstalledFunction,
        _ function: CaptureFunctions.Function
    ) -> Bool {
        installed.body == function.body && installed.isDefiner
            && installed.settings == function.settings.map { "\($0.name)=\($0.value)" }
    }

    private func definition(of function: CaptureFunctions.Function, named name: String) -> SQL {
        // Only the search path is a list.
        let settings = function.settings.map { name, value in
            "SET \(name) = \(name == "search_path" ? value : quotedLiteral(value))"
        }
        let body = "E'" + function.body.replacing("\\", with: "\\\\").replacing("'", with: "''") + "'"
        return SQL(
            raw: """
                CREATE OR REPLACE FUNCTION \(quotedName(outbox.schema)).\(quotedName(name))() RETURNS trigger
                LANGUAGE plpgsql SECURITY DEFINER \(settings.joined(separator: " ")) AS \(body)
                """
        )
    }

    /// Nobody but its owner may call a function, or make a trigger of it on a table of their own.
    private func closing(_ name: String) -> [SQL] {
        let function = "\(quotedName(outbox.schema)).\(quotedName(name))()"
        return [
            SQL(raw: "REVOKE ALL ON FUNCTION \(function) FROM PUBLIC"),
            SQL(
                raw: """
                    DO $dionysus$ DECLARE grantee pg_catalog.name; BEGIN
                      FOR grantee IN
                        SELECT r.rolname FROM pg_catalog.pg_proc p
                        CROSS JOIN pg_catalog.aclexplode(p.proacl) g JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
                        WHERE p.oid = \(quotedLiteral(function))::pg_catalog.regprocedure AND g.grantee <> p.proowner
                      LOOP
                        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %I', \(quotedLiteral(function)), grantee);
                      END LOOP;
                    END $dionysus$
                    """
            ),
        ]
    }

    private func missingTriggers(on relation: CapturedTable.Relation, _ table: CapturedTable) -> [CaptureOperation] {
        CaptureOperation.allCases.filter { operation in
            let function = functions[functionName(table, operation)]
            let name = triggerName(operation, on: relation)
            return triggers[relation.oid]?
                .contains { trigger in
                    trigger.function == function?.oid && trigger.type == operation.catalogueType && trigger.isEnabled
                        && trigger.name == name
                } != true
        }
    }

    private func trigger(
        _ operation: CaptureOperation,
        on relation: CapturedTable.Relation,
        _ table: CapturedTable
    ) -> SQL {
        let name = quotedName(triggerName(operation, on: relation))
        return SQL(
            raw: """
                CREATE OR REPLACE TRIGGER \(name) \(operation.timing) \(operation.rawValue.uppercased()) ON \(relation.name)
                \(operation.transitionTables) FOR EACH STATEMENT
                EXECUTE FUNCTION \(quotedName(outbox.schema)).\(quotedName(functionName(table, operation)))()
                """
        )
    }

    /// By its number a table is known after it was renamed.
    private func note(_ relation: CapturedTable.Relation, _ table: CapturedTable) -> [SQL] {
        let name = "\(CaptureNotes.relation)\(relation.oid)"
        return [
            """
            INSERT INTO \(raw: outbox.notes) (name, value) VALUES (\(name), \(table.name))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """
        ]
    }

    // MARK: What is not asked for

    /// Triggers of ours that the declaration does not ask for, and functions that no trigger calls.
    private func unwanted() -> [CaptureDifference] {
        var relations: Set<Int64> = []
        var functions: Set<String> = []
        for capture in request.tables {
            guard let table = catalogue.tables[capture.table] else { continue }
            functions.formUnion(CaptureOperation.allCases.map { functionName(table, $0) })
            relations.formUnion([table.oid] + table.children.map(\.oid))
        }
        let unwanted = catalogue.triggers.filter { trigger in
            // One that has a wanted name is replaced.
            !relations.contains(trigger.relation.oid)
                || !CaptureOperation.allCases.contains { triggerName($0, on: trigger.relation) == trigger.name }
        }
        var differences = Dictionary(grouping: unwanted, by: \.relation.name).sorted { $0.key < $1.key }
            .map { name, triggers in
                CaptureDifference(
                    fault: "table \(triggers[0].relation.displayName) has capture triggers, "
                        + "which the declaration does not ask for: run migrate",
                    change: "removed the capture triggers of table \(triggers[0].relation.displayName)",
                    statements: triggers.map { SQL(raw: "DROP TRIGGER IF EXISTS \(quotedName($0.name)) ON \(name)") }
                        + [
                            "DELETE FROM \(raw: outbox.notes) WHERE name = \("\(CaptureNotes.relation)\(triggers[0].relation.oid)")"
                        ]
                )
            }
        let unused = catalogue.functions.filter { !functions.contains($0.name) }.map(\.name)
        if !unused.isEmpty {
            differences.append(
                CaptureDifference(
                    fault: "capture functions are left that no trigger calls: run migrate",
                    change: "removed \(unused.count) capture functions",
                    statements: unused.map {
                        SQL(raw: "DROP FUNCTION IF EXISTS \(quotedName(outbox.schema)).\(quotedName($0))()")
                    }
                )
            )
        }
        return differences
    }
}
