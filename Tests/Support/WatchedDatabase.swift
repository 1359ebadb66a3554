public import Dionysus
import Synchronization

/// A database wrapper that records statements.
public final class WatchedDatabase: CapturingDatabase {
    fileprivate struct Watch: Sendable {
        let database: WatchedDatabase
        let beforeEach: (@Sendable (String) -> Void)?
    }

    private let base: any CapturingDatabase
    private let beforeEach: (@Sendable (String) -> Void)?
    private let statements = Mutex<[String]>([])

    /// Watches a database.
    /// - Parameters:
    ///   - beforeEach: Called before each statement; statements are then run one by one.
    public init(_ base: any CapturingDatabase, beforeEach: (@Sendable (String) -> Void)? = nil) {
        self.base = base
        self.beforeEach = beforeEach
    }

    /// The statements since the last call.
    public func takeStatements() -> [String] {
        statements.withLock { statements in
            defer { statements = [] }
            return statements
        }
    }

    /// The number of statements that loaded records or settled rows since the last call.
    ///
    /// A relay's periodic statements don't count.
    public func takeCountOfWork() -> Int {
        takeStatements()
            .filter { text in
                let isHousekeeping = ["outboxes", "lanes", "meta", "version", "genesis"]
                    .contains { text.contains("dionysus_\($0)") }
                // The last id of an outbox, which every poll reads on SQLite.
                let isOfPoll = text.contains("sqlite_sequence")
                return !isHousekeeping && !isOfPoll || text.hasPrefix("UPDATE \"dionysus_outboxes\"")
            }
            .count
    }

    fileprivate func note(_ texts: [String]) { statements.withLock { $0 += texts } }

    public var captureSupport: CaptureSupport { base.captureSupport }
    public var dialect: any SQLDialect { base.dialect }
    public var location: String { base.location }

    public func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let watch = Watch(database: self, beforeEach: beforeEach)
        return try await base.transaction(kind) { try watch.run($0.connection, body) }
    }

    public func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        let watch = Watch(database: self, beforeEach: beforeEach)
        return try await base.lease(resource, idleTimeout: idleTimeout).map { WatchedLease(base: $0, watch: watch) }
    }

    public func close() async { await base.close() }
}

extension WatchedDatabase.Watch {
    fileprivate func run<T>(
        _ connection: any DatabaseConnection,
        _ body: (inout Transaction) throws -> T
    ) throws -> T {
        var transaction = Transaction(on: WatchedConnection(connection, self))
        return try body(&transaction)
    }
}

private struct WatchedLease: Lease {
    let base: any Lease
    let watch: WatchedDatabase.Watch

    func perform<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try await base.perform { [watch] in try watch.run($0.connection, body) }
    }

    func release<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try await base.release { [watch] in try watch.run($0.connection, body) }
    }

    func renew(ending last: [SQL], running next: [SQL]) async throws -> (last: [ResultSet], next: [ResultSet]?) {
        guard watch.beforeEach == nil else { return (try await release { try $0.run(last) }, nil) }
        watch.database.note((last + next).map { $0.rendered(for: watch.database.dialect).text })
        return try await base.renew(ending: last, running: next)
    }

    func abandon() async { await base.abandon() }
}

private final class WatchedConnection: DatabaseConnection {
    private let base: any DatabaseConnection
    private let watch: WatchedDatabase.Watch

    init(_ base: any DatabaseConnection, _ watch: WatchedDatabase.Watch) {
        self.base = base
        self.watch = watch
    }

    var dialect: any SQLDialect { base.dialect }

    func run(_ statements: [SQL]) throws -> [ResultSet] {
        let texts = statements.map { $0.rendered(for: dialect).text }
        watch.database.note(texts)
        guard let beforeEach = watch.beforeEach else { return try base.run(statements) }
        return try zip(statements, texts)
            .flatMap { statement, text in
                beforeEach(text)
                return try base.run([statement])
            }
    }

    func runLast(_ statements: [SQL], upTo size: Int) throws -> [ResultSet]? {
        guard watch.beforeEach == nil else { return try run(statements) }
        watch.database.note(statements.map { $0.rendered(for: dialect).text })
        return try base.runLast(statements, upTo: size)
    }

    func suppressCapture() throws { try base.suppressCapture() }

    func setTraceContext(traceparent: String?, tracestate: String?) throws {
        try base.setTraceContext(traceparent: traceparent, tracestate: tracestate)
    }

    func describe(table: String) throws -> TableDescription? { try base.describe(table: table) }
}

extension WatchedConnection: ExpressionDescribing {
    private var describing: any ExpressionDescribing {
        get throws {
            guard let describing = base as? any ExpressionDescribing else {
                throw DionysusError(.configuration, "the database doesn't describe expressions")
            }
            return describing
        }
    }

    func describe(expression: String, of table: String, as row: String) throws -> ExpressionDescription {
        try describing.describe(expression: expression, of: table, as: row)
    }

    func foreignKeys() throws -> [ForeignKey] { try describing.foreignKeys() }

    func describedName(ofTable table: String) throws -> String? { try describing.describedName(ofTable: table) }
}
