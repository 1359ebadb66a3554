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
    func creation() -> [SQL]

    /// The statements that (re)create what depends on the number of lanes.
    /// - Parameter lanes: How many lanes there are.
    func laneIndexes(lanes: Int) -> [SQL]

    /// The statements that remove everything that ``creation()`` and ``laneIndexes(lanes:)`` made.
    func removal() -> [SQL]

    /// Raises the version counter to the clock, so that a restored database goes on above what it had published.
    func raiseVersion(in transaction: inout Transaction) throws

    /// The statements after which the transaction's queries fail, should the database hide any rows from its role.
    ///
    /// What isn't found there is gone. By default none, where no rows are hidden.
    func seeingAllRows() -> [SQL]

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
    ///   - lanes: How many lanes there are.
    func advanceLowWaterMark(ofLane lane: Int, lanes: Int) -> [SQL]

    /// The statement that tells waiting relays of rows which were inserted without a trigger, in their transaction;
    /// nil where nobody has to be told.
    func wakeUp() -> SQL?

    /// Whether the transaction's changes are captured: a condition.
    var isCaptured: SQL { get }

    /// The trace context of the transaction: values of the outbox's columns `traceparent` and `tracestate`.
    var traceContext: (traceparent: SQL, tracestate: SQL) { get }

    /// The statements that install the triggers of a table, in place of those that are there.
    /// - Parameters:
    ///   - capture: What a change writes.
    ///   - table: The table as the catalogue has it.
    ///   - outbox: The outbox as the catalogue has it.
    func triggers(for capture: TableCapture, on table: TableDescription, outbox: TableDescription) -> [SQL]

    /// What tells whether installed triggers still serve: statements that differ when they have to be replaced.
    ///
    /// By default the triggers themselves.
    /// - Parameters:
    ///   - capture: What a change writes.
    ///   - table: The table as the catalogue has it.
    ///   - outbox: The outbox as the catalogue has it.
    func essence(of capture: TableCapture, on table: TableDescription, outbox: TableDescription) -> [SQL]

    /// The tables that have triggers of this library.
    func capturedTables(in transaction: inout Transaction) throws -> [String]

    /// The statements that remove this library's triggers from a table.
    func triggerRemoval(table: String) -> [SQL]
}

extension OutboxSupport {
    public func seeingAllRows() -> [SQL] { [] }

    public func tablesHidingRows(among tables: [String], in transaction: inout Transaction) throws -> [String] { [] }

    public func holdsUnicode(in transaction: inout Transaction) throws -> Bool { true }

    public func outboxFaults(in transaction: inout Transaction) throws -> [String] { [] }

    public func claimOrder(lane: SQL, id: SQL) -> SQL { "\(lane), \(id)" }

    public func essence(of capture: TableCapture, on table: TableDescription, outbox: TableDescription) -> [SQL] {
        triggers(for: capture, on: table, outbox: outbox)
    }
}
