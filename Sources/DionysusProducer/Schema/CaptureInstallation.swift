import Dionysus

/// The triggers of a declaration, compared with those in the database.
struct CaptureInstallation: Sendable {
    let request: CaptureRequest
    let support: any OutboxSupport
    private let registry: Registry

    init(_ registry: Registry, _ catalogue: Catalogue, _ database: any CapturingDatabase) {
        request = CaptureRequest(
            tables: CapturePlan(registry, catalogue: catalogue).tables,
            suppressionRole: registry.captureSuppressionRole
        )
        support = database.outbox
        self.registry = registry
    }

    /// What has to be done, and what can't be.
    func report(in transaction: inout Transaction) throws -> CaptureReport {
        var report = try support.captureReport(request, in: &transaction)
        let messages = try support.messageTablesReport(registry.messageTables, in: &transaction)
        report.differences += messages.differences
        report.faults += messages.faults
        return report
    }

    /// In what the installed triggers differ from what the declaration asks for, a line each.
    func faults(in transaction: inout Transaction) throws -> [String] {
        let tables = support.tables
        guard let outbox = try transaction.describe(table: tables.path) else {
            return ["there is no table \(tables.path): run migrate"]
        }
        guard try transaction.describe(table: tables.path("dionysus_meta")) != nil else {
            return ["the outbox \(tables.path) has been made by another program, and not migrated: run migrate"]
        }
        if let fault = OutboxShape.fault(of: outbox, enforcesTypes: transaction.dialect.enforcesTypes) {
            return [fault]
        }
        if let fault = try OutboxPlace.fault(tables, in: &transaction) { return [fault] }
        // What its triggers are is then the other application's business.
        if let fault = try OutboxOwner.fault(registry, tables, in: &transaction) {
            return ["\(fault), and run migrate"]
        }
        let report = try report(in: &transaction)
        return report.faults + report.differences.map(\.fault)
    }
}
