/// A database in which changes can be captured and relayed.
public protocol CapturingDatabase: Database {
    /// What capture and relay use of the database. A database that wraps another passes its value on.
    var captureSupport: CaptureSupport { get }
}

/// What capture and relay use of a database; only this package's adapters create it.
public struct CaptureSupport: Sendable {
    package let outbox: any OutboxSupport
    package let changeSignal: @Sendable (_ onChange: @escaping @Sendable () -> Void) -> any ChangeSignal

    /// Collects the parts.
    /// - Parameters:
    ///   - outbox: The parts of the outbox that differ between databases.
    ///   - changeSignal: Creates what ``CapturingDatabase/changeSignal(_:)`` returns.
    package init(
        outbox: any OutboxSupport,
        changeSignal: @escaping @Sendable (_ onChange: @escaping @Sendable () -> Void) -> any ChangeSignal
    ) {
        self.outbox = outbox
        self.changeSignal = changeSignal
    }
}

extension CapturingDatabase {
    /// The parts of the outbox that differ between databases.
    package var outbox: any OutboxSupport { captureSupport.outbox }

    /// A signal for changes to the outbox that other processes commit.
    /// - Parameter onChange: Called after a change, from any thread, once or several times; it must return at once.
    /// - Returns: The signal, which reports nothing before it is armed.
    package func changeSignal(_ onChange: @escaping @Sendable () -> Void) -> any ChangeSignal {
        captureSupport.changeSignal(onChange)
    }
}

/// The parts of the outbox that differ between databases.
///
/// All other SQL for the outbox is the same on all databases.
package protocol OutboxSupport: Sendable {
    /// The names of the outbox's tables; the standard names by default.
    var tables: OutboxTables { get }

    /// The current time as a value of the outbox's timestamp columns, shifted by a number of seconds.
    func time(shiftedBy seconds: Double) -> SQL

    /// As ``time(shiftedBy:)``, but with the time at which the statement started, so it is the same for all rows.
    func statementTime(shiftedBy seconds: Double) -> SQL

    /// A timestamp expression as a value of the outbox's timestamp columns.
    func storedTime(_ expression: SQL) -> SQL

    /// An order for one lane's rows that matches the index on lane and id, so that no sort is needed.
    ///
    /// By default the lane and then the id, so that the database doesn't choose an index on the id alone.
    /// - Parameters:
    ///   - lane: The lane's expression, which has the same value for all rows.
    ///   - id: The id column.
    func claimOrder(lane: SQL, id: SQL) -> SQL

    /// The statements that create the outbox's tables, except those that depend on the lanes.
    /// - Parameter beside: Whether to create them although another application's outbox exists.
    func creation(beside: Bool) -> [SQL]

    /// Whether new tables would exist next to those of an existing outbox.
    func canCreateBeside(in transaction: inout Transaction) throws -> Bool

    /// The statements that restore what may have changed since ``creation()``; none of them waits for writers.
    func upkeep() -> [SQL]

    /// The statements that (re)create the indexes that depend on the number of lanes: of unpublished rows by lane,
    /// ``OutboxStage`` and id, and of failed rows by lane and the time of their next attempt.
    func laneIndexes(lanes: Int) -> [SQL]

    /// The statements that remove everything created by ``creation()`` and ``laneIndexes(lanes:)``.
    func removal() -> [SQL]

    /// The statements that limit how long later statements of the transaction wait for a table lock; empty if writers
    /// exclude each other anyway.
    func lockTimeout(_ timeout: Duration) -> [SQL]

    /// Raises the version counter to the clock, so that a restored database continues above its published versions.
    func raiseVersion(in transaction: inout Transaction) throws

    /// The statements after which queries of the transaction fail if the database would hide rows from its role.
    ///
    /// After them, a record that isn't found doesn't exist. Empty by default, for databases that hide no rows.
    func seeingAllRows() -> [SQL]

    /// The first statements of a transaction that only loads rows by their keys, one statement per model.
    ///
    /// They include ``seeingAllRows()``, which is the default.
    func loadingByKeys() -> [SQL]

    /// Those of the given tables in which the database hides rows from this role.
    func tablesHidingRows(among tables: [String], in transaction: inout Transaction) throws -> [String]

    /// Whether the database can store all Unicode text. True by default.
    func holdsUnicode(in transaction: inout Transaction) throws -> Bool

    /// Problems that prevent outbox rows from being found or written, one line each, with advice.
    func outboxFaults(in transaction: inout Transaction) throws -> [String]

    /// The statement that returns the highest id ever assigned to an outbox row, in the first column of its first row.
    func lastID() -> SQL

    /// The statement that draws the next version; its first row's first column is the version.
    ///
    /// Versions never go back, even if the transaction is rolled back.
    func drawVersion() -> SQL

    /// The statements that advance a lane's low-water mark past settled ids whose transactions have all ended; empty if
    /// there is no such mark.
    ///
    /// The last statement returns a row if the mark may have to advance further even without new rows.
    /// - Parameters:
    ///   - lane: The lane, whose lock the caller holds in the transaction.
    func advanceLowWaterMark(ofLane lane: Int, lanes: Int) -> [SQL]

    /// The statement that notifies waiting relays of rows inserted without a trigger, in the inserting transaction; nil
    /// if that isn't needed or the role lacks the privilege.
    /// - Parameter transaction: A transaction of the inserting role.
    func wakeUp(in transaction: inout Transaction) throws -> SQL?

    /// What identifies the version of a table's row, as text; nil, the default, if the database has no such thing.
    ///
    /// Every change of a row by another transaction gives it another.
    /// - Parameters:
    ///   - table: The table, as a model names it.
    ///   - alias: The table's alias in the statement.
    func rowVersion(ofTable table: String, alias: String, in transaction: inout Transaction) throws -> SQL?

    /// What marks the transaction, as text, for ``haveEnded(upTo:)``.
    var transactionMark: SQL { get }

    /// Whether all transactions that had begun to write when one marked itself have ended.
    ///
    /// True by default, for databases whose writers exclude each other.
    /// - Parameter mark: A value of ``transactionMark``.
    func haveEnded(upTo mark: SQL) -> SQL

    /// The condition that the transaction's changes are captured.
    var isCaptured: SQL { get }

    /// The transaction's trace context: values for the outbox's columns `traceparent` and `tracestate`.
    var traceContext: (traceparent: SQL, tracestate: SQL) { get }

    /// How the triggers in the database differ from the requested ones.
    ///
    /// It considers only objects of this library and this outbox, by owner, schema and name.
    /// - Parameters:
    ///   - request: What has to be captured.
    ///   - transaction: A transaction that reads.
    func captureReport(_ request: CaptureRequest, in transaction: inout Transaction) throws -> CaptureReport

    /// How the triggers that make messages of tables' rows differ from the requested ones.
    ///
    /// By default a fault for each requested table.
    /// - Parameters:
    ///   - tables: The tables whose rows are to be messages.
    ///   - transaction: A transaction that reads.
    func messageTablesReport(
        _ tables: [MessageTableCapture],
        in transaction: inout Transaction
    ) throws -> CaptureReport
}

extension OutboxSupport {
    package var tables: OutboxTables { OutboxTables() }

    /// The statements that create the outbox's tables, except those that depend on the lanes.
    package func creation() -> [SQL] { creation(beside: false) }

    package func seeingAllRows() -> [SQL] { [] }

    package func loadingByKeys() -> [SQL] { seeingAllRows() }

    package func tablesHidingRows(among tables: [String], in transaction: inout Transaction) throws -> [String] { [] }

    package func holdsUnicode(in transaction: inout Transaction) throws -> Bool { true }

    package func outboxFaults(in transaction: inout Transaction) throws -> [String] { [] }

    package func messageTablesReport(
        _ tables: [MessageTableCapture],
        in transaction: inout Transaction
    ) throws -> CaptureReport {
        CaptureReport(faults: tables.map { "this database can't make messages of rows of \($0.table)" })
    }

    package func claimOrder(lane: SQL, id: SQL) -> SQL { "\(lane), \(id)" }

    package func rowVersion(ofTable table: String, alias: String, in transaction: inout Transaction) throws -> SQL? {
        nil
    }

    package var transactionMark: SQL { "''" }

    package func haveEnded(upTo mark: SQL) -> SQL { "(1 = 1)" }
}

/// The requested capture.
package struct CaptureRequest: Sendable {
    /// The tables whose changes are captured.
    package var tables: [TableCapture]
    /// The database role whose members may suppress capture; nil for the role that owns the outbox.
    package var suppressionRole: String?

    /// Creates a request.
    /// - Parameters:
    ///   - suppressionRole: The role whose members may suppress capture; nil for the role that owns the outbox.
    package init(tables: [TableCapture], suppressionRole: String? = nil) {
        self.tables = tables
        self.suppressionRole = suppressionRole
    }
}

/// The state of capture in the database, compared with the requested capture.
package struct CaptureReport: Sendable {
    /// What migrating has to change, in order.
    package var differences: [CaptureDifference]
    /// Problems that prevent capture and that migrating can't fix, one line each.
    package var faults: [String]
    /// Warnings for an administrator, one line each.
    package var warnings: [String]

    /// Creates a report.
    /// - Parameters:
    ///   - differences: What migrating has to change.
    ///   - faults: Problems that migrating can't fix.
    ///   - warnings: Warnings for an administrator.
    package init(differences: [CaptureDifference] = [], faults: [String] = [], warnings: [String] = []) {
        self.differences = differences
        self.faults = faults
        self.warnings = warnings
    }
}

/// A difference in one table's capture that migrating fixes.
package struct CaptureDifference: Sendable {
    /// What is wrong, and what to do about it.
    package var fault: String
    /// What migrating does, in the past tense, for its report.
    package var change: String
    /// The statements that change it, in one transaction.
    package var statements: [SQL]

    /// Creates a difference.
    /// - Parameters:
    ///   - change: What migrating does, in the past tense.
    package init(fault: String, change: String, statements: [SQL]) {
        self.fault = fault
        self.change = change
        self.statements = statements
    }
}
