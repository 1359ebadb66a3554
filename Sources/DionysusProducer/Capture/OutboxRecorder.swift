public import Dionysus
import Synchronization

/// Writes an application's changes into the outbox, in the transaction that makes them.
///
/// For models whose ``/Dionysus/Model/captureMethod`` is `application`, because no triggers can be installed:
///
///     let outbox = OutboxRecorder(registry, database: database)
///     try await database.transaction(.write) { transaction in
///         try transaction.run("UPDATE rentals SET name = \(new.name) WHERE id = \(new.id)")
///         try outbox.record(.updated(from: old, to: new), in: &transaction)
///     }
///
/// What is changed in another way is not published.
public final class OutboxRecorder: Sendable {
    private let registry: Registry
    private let support: any OutboxSupport
    private let dialect: any SQLDialect
    private let cipher: ChangesetCipher
    /// The outbox as it was found by the first change, and the statement that wakes waiting relays.
    private let outbox = Mutex<(table: TableDescription, wakeUp: SQL?)?>(nil)

    /// Creates a recorder.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database whose transactions it is used in.
    public init(_ registry: Registry, database: any CapturingDatabase) {
        self.registry = registry
        support = database.outbox
        dialect = database.dialect
        cipher = ChangesetCipher(keys: registry.changesetKeys)
    }

    package init(_ registry: Registry, support: any OutboxSupport, dialect: any SQLDialect) {
        self.registry = registry
        self.support = support
        self.dialect = dialect
        cipher = ChangesetCipher(keys: registry.changesetKeys)
    }

    /// Records a change.
    ///
    /// Nothing is recorded if no attribute differs, nothing about the record is published, capture is suppressed, or the setting
    /// ``ProducerSettings/recordsChanges`` is off.
    /// - Parameters:
    ///   - change: The change.
    ///   - transaction: The transaction that makes it.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` when triggers capture the model, or nothing has been
    ///   migrated; as ``/Dionysus/Transaction/run(_:)-(SQL)``.
    public func record<Record: Model>(
        _ change: RecordedChange<Record>,
        in transaction: inout Transaction
    ) throws {
        try record(contentsOf: [change], in: &transaction)
    }

    /// Records changes of one model, by one statement however many they are.
    /// - Parameters:
    ///   - changes: The changes, in their order.
    ///   - transaction: The transaction that makes them.
    /// - Throws: As ``record(_:in:)``.
    public func record<Record: Model>(
        contentsOf changes: some Sequence<RecordedChange<Record>>,
        in transaction: inout Transaction
    ) throws {
        guard Record.captureMethod == .application else {
            throw DionysusError(
                .declaration,
                "changes of model \(Record.modelName) are captured by triggers, and would be recorded twice",
                advice: "let its captureMethod be application, and migrate"
            )
        }
        guard registry.capture == .enabled, registry.recordsChanges else { return }
        let model = registry.published(ModelDescription(Record.self))
        let plan = RecordingPlan(model, registry)
        var rows: [RecordingPlan.Row] = []
        for change in changes {
            for change in try CapturedChange.all(of: change, model) { rows += try plan.rows(for: change, cipher) }
        }
        guard !rows.isEmpty else { return }
        let (table, wakeUp) = try outbox(in: &transaction)
        let insertion = OutboxInsertion(support: support, dialect: dialect, outbox: table)
        try transaction.run([insertion.statement(rows)] + (wakeUp.map { [$0] } ?? []))
    }

    private func outbox(in transaction: inout Transaction) throws -> (table: TableDescription, wakeUp: SQL?) {
        if let known = outbox.withLock({ $0 }) { return known }
        guard let table = try transaction.describe(table: support.tables.path) else {
            throw DionysusError(.declaration, "there is no outbox in the database", advice: "run migrate first")
        }
        let found = (table: table, wakeUp: try support.wakeUp(in: &transaction))
        outbox.withLock { $0 = found }
        return found
    }
}
