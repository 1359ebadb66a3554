/// A database in which changes can be captured and relayed.
public protocol CapturingDatabase: Database {
    /// The parts of the outbox that each database does its own way.
    var outbox: any OutboxSupport { get }

    /// Lets a process learn of changes to the outbox that other processes commit.
    /// - Parameter onChange: Called after a change, from any thread, once or several times; it must return at once.
    /// - Returns: The signal, which announces nothing before it is armed.
    func changeSignal(_ onChange: @escaping @Sendable () -> Void) -> any ChangeSignal
}

/// The parts of the outbox that each database does its own way.
///
/// Everything else about the outbox is the same SQL on all of them.
public protocol OutboxSupport: Sendable {
    /// The names of the outbox's tables. By default the standard ones.
    var tables: OutboxTables { get }

    /// The clock's time as a value of the outbox's timestamp columns, shifted by a number of seconds.
    func time(shiftedBy seconds: Double) -> SQL

    /// The time at which a statement begins, the same for all rows that it looks at; otherwise as ``time(shiftedBy:)``.
    func statementTime(shiftedBy seconds: Double) -> SQL

    /// A timestamp expression as a value of the outbox's timestamp columns.
    func storedTime(_ expression: SQL) -> SQL

    /// The order in which one lane's rows are taken from the index on the lane and the id, so that they need no sorting.
    ///
    /// By default the lane and then the id, so that no index on the id alone is taken for it.
    /// - Parameters:
    ///   - lane: The lane's expression, the same for all of the rows.
    ///   - id: The id's column.
    func claimOrder(lane: SQL, id: SQL) -> SQL

    /// The statements that create the outbox's tables, without those for lanes.
    /// - Parameter beside: Whether they are created although there is another application's outbox.
    func creation(beside: Bool) -> [SQL]

    /// Whether tables that are created now would stand beside those of the outbox that is there.
    func canCreateBeside(in transaction: inout Transaction) throws -> Bool

    /// The statements that put right what may have been changed since ``creation()``; none of them waits for writers.
    func upkeep() -> [SQL]

    /// The statements that (re)create what depends on the number of lanes: the index of unpublished rows by lane, by
    /// ``OutboxStage`` and by id, and that of failed rows by lane and by the time of their next attempt.
    func laneIndexes(lanes: Int) -> [SQL]

    /// The statements that remove everything that ``creation()`` and ``laneIndexes(lanes:)`` made.
    func removal() -> [SQL]

    /// The statements that bound how long the statements after them wait for a table, in the same transaction; none where
    /// writers exclude each other anyhow.
    func lockTimeout(_ timeout: Duration) -> [SQL]

    /// Raises the version counter to the clock, so that a restored database goes on above what it had published.
    func raiseVersion(in transaction: inout Transaction) throws

    /// The statements after which the transaction's queries fail, should the database hide any rows from its role.
    ///
    /// What isn't found there is gone. By default none, where no rows are hidden.
    func seeingAllRows() -> [SQL]

    /// The statements that a transaction begins with which only loads rows by their keys, a statement for each model.
    ///
    /// By default ``seeingAllRows()``, which they do too.
    func loadingByKeys() -> [SQL]

    /// Those of some tables of which the database hides rows from this role.
    func tablesHidingRows(among tables: [String], in transaction: inout Transaction) throws -> [String]

    /// Whether the database stores every text, in whatever script. By default true.
    func holdsUnicode(in transaction: inout Transaction) throws -> Bool

    /// What keeps rows of the outbox from being found or written, a line each with what to do.
    func outboxFaults(in transaction: inout Transaction) throws -> [String]

    /// The statement that tells the highest id which any row of the outbox has had; its first row's first column.
    func lastID() -> SQL

    /// The statement that draws the next version; its first row's first column is the version.
    ///
    /// What it draws never goes back, even when the transaction does.
    func drawVersion() -> SQL

    /// The statements that move a lane's low-water mark past the ids that are settled and whose transactions have all
    /// ended; none where there is no such mark.
    ///
    /// The last of them returns a row while the mark may have to move further without new rows.
    /// - Parameters:
    ///   - lane: The lane, whose lock the caller holds in the transaction.
    func advanceLowWaterMark(ofLane lane: Int, lanes: Int) -> [SQL]

    /// The statement that tells waiting relays of rows which were inserted without a trigger, in their transaction;
    /// nil where nobody has to be told, or the role may not tell.
    /// - Parameter transaction: A transaction of the role that inserts.
    func wakeUp(in transaction: inout Transaction) throws -> SQL?

    /// Whether the transaction's changes are captured: a condition.
    var isCaptured: SQL { get }

    /// The trace context of the transaction: values of the outbox's columns `traceparent` and `tracestate`.
    var traceContext: (traceparent: SQL, tracestate: SQL) { get }

    /// In what the triggers in the database differ from what is asked for.
    ///
    /// It looks only at what belongs to this library and this outbox: by owner, schema and name.
    /// - Parameters:
    ///   - request: What has to be captured.
    ///   - transaction: A transaction that reads.
    func captureReport(_ request: CaptureRequest, in transaction: inout Transaction) throws -> CaptureReport
}

extension OutboxSupport {
    public var tables: OutboxTables { OutboxTables() }

    /// The statements that create the outbox's tables, without those for lanes.
    public func creation() -> [SQL] { creation(beside: false) }

    public func seeingAllRows() -> [SQL] { [] }

    public func loadingByKeys() -> [SQL] { seeingAllRows() }

    public func tablesHidingRows(among tables: [String], in transaction: inout Transaction) throws -> [String] { [] }

    public func holdsUnicode(in transaction: inout Transaction) throws -> Bool { true }

    public func outboxFaults(in transaction: inout Transaction) throws -> [String] { [] }

    public func claimOrder(lane: SQL, id: SQL) -> SQL { "\(lane), \(id)" }
}

/// What has to be captured.
public struct CaptureRequest: Sendable {
    /// The tables whose changes are captured.
    public var tables: [TableCapture]
    /// The database role whose members may suppress capture; nil for the role that owns the outbox.
    public var suppressionRole: String?

    /// Creates a request.
    /// - Parameters:
    ///   - suppressionRole: The role whose members may suppress capture; nil for the role that owns the outbox.
    public init(tables: [TableCapture], suppressionRole: String? = nil) {
        self.tables = tables
        self.suppressionRole = suppressionRole
    }
}

/// What capture in the database is like, compared with what is asked for.
public struct CaptureReport: Sendable {
    /// What migrating has to change, in the order in which it does.
    public var differences: [CaptureDifference]
    /// What keeps tables from being captured, a line each; migrating can't mend it.
    public var faults: [String]
    /// What an administrator should know, a line each.
    public var warnings: [String]

    /// Creates a report.
    /// - Parameters:
    ///   - differences: What migrating has to change.
    ///   - faults: What it can't mend.
    ///   - warnings: What an administrator should know.
    public init(differences: [CaptureDifference] = [], faults: [String] = [], warnings: [String] = []) {
        self.differences = differences
        self.faults = faults
        self.warnings = warnings
    }
}

/// Something about one table's capture that migrating has to change.
public struct CaptureDifference: Sendable {
    /// What is wrong, and what to do about it.
    public var fault: String
    /// What migrating does, in the past tense, for its report.
    public var change: String
    /// The statements that change it, in one transaction.
    public var statements: [SQL]

    /// Creates a difference.
    /// - Parameters:
    ///   - change: What migrating does, in the past tense.
    public init(fault: String, change: String, statements: [SQL]) {
        self.fault = fault
        self.change = change
        self.statements = statements
    }
}
