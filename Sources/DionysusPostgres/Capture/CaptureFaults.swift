import Dionysus

/// What keeps tables from being captured, and migrating can't mend: a line each.
struct CaptureFaults {
    let catalogue: CaptureCatalogue
    let request: CaptureRequest

    func all() -> [String] {
        var faults: [String] = []
        for capture in request.tables {
            guard let table = catalogue.tables[capture.table] else { continue }
            if !["r", "p"].contains(table.kind) {
                faults.append(
                    "\(capture.table) is no table, and has no triggers that could capture its changes: "
                        + "publish a table, or let the model's captureMethod be application"
                )
            }
            faults += paths(of: capture)
        }
        return faults + (request.tables.isEmpty ? [] : owner())
    }

    /// Triggers follow associations by the operators of PostgreSQL's own types only.
    private func paths(of capture: TableCapture) -> [String] {
        var faults: [String] = []
        for (name, table) in capture.tablesJoined.compactMap({ name in catalogue.tables[name].map { (name, $0) } }) {
            if !["r", "p"].contains(table.kind) {
                faults.append("\(name), on the way from table \(capture.table), is no table: triggers don't read views")
            }
            for column in capture.columnsJoined(of: { $0 == name }).compactMap(table.column)
            where column.builtInType == nil && isCompared(column.name, in: name, capture) {
                faults.append(
                    "column \(name).\(column.name) has type \(column.type.replacing("\"", with: "")), which is not PostgreSQL's own: "
                        + "triggers can't follow an association by it, so use a type of the server's, or let the "
                        + "captureMethod be application"
                )
            }
            let roles = catalogue.roles
            let isHidden =
                table.hasRowSecurity && !roles.definerPassesRowSecurity && !roles.isSuperuser
                && table.owner != roles.current
            if isHidden {
                faults.append(
                    "row-level security of table \(name) may hide rows from the triggers of table \(capture.table): "
                        + "let a superuser run ALTER ROLE \(CaptureRole.name) BYPASSRLS"
                )
            }
        }
        return faults.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private func isCompared(_ column: String, in table: String, _ capture: TableCapture) -> Bool {
        capture.affected.contains { affected in
            affected.path.enumerated()
                .contains { index, hop in
                    hop.otherTable == table
                        && (hop.targetColumns.contains(column)
                            || index + 1 < affected.path.count
                                && affected.path[index + 1].sourceColumns.contains(column))
                }
        }
    }

    /// The owner of one of our tables can write, read and lock everything in it.
    private func owner() -> [String] {
        let roles = [catalogue.roles.current] + request.tables.compactMap { catalogue.tables[$0.table]?.owner }
        var trusted = Set(roles)
        if catalogue.outboxOwnerIsTrusted || trusted.contains(catalogue.outboxOwner) {
            trusted.insert(catalogue.outboxOwner)
        }
        return catalogue.ownTables.filter { !trusted.contains($0.owner) }
            .map { table in
                "\(catalogue.outboxSchema).\(table.name) belongs to role \(table.ownerName), which owns no published table: "
                    + "drop it, or give it to the role that migrates"
            }
    }
}
