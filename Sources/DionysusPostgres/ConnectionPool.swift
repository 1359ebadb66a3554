import Dionysus
import Logging
import Synchronization

/// Connections that are handed out one task at a time, in the order of asking.
final class ConnectionPool: Sendable {
    private struct State {
        var idle: [PooledConnection] = []
        var open = 0
        var waiting: [(id: Int, continuation: CheckedContinuation<PooledConnection?, any Error>)] = []
        var lastWaiter = 0
        /// Waiters that gave up before they began to wait.
        var cancelled: Set<Int> = []
        var isClosed = false
    }

    private let target: ConnectionTarget
    private let limit: Int
    private let options: PostgresOptions
    private let logger: Logger
    private let state = Mutex(State())

    init(target: ConnectionTarget, limit: Int, options: PostgresOptions, logger: Logger) {
        self.target = target
        self.limit = limit
        self.options = options
        self.logger = logger
    }

    /// An open connection that nobody else has until it is given back.
    func acquire() async throws -> PooledConnection {
        if let connection = try await next() { return connection }
        let connection = PooledConnection(target: target)
        do {
            try await connection.open()
            return connection
        } catch {
            forget()
            throw error
        }
    }

    func giveBack(_ connection: PooledConnection) async {
        guard await connection.run(\.isUsable) else {
            logger.debug("a connection to \(target.location) was lost")
            await connection.close()
            forget()
            return
        }
        enum Next {
            case close
            case keep
            case hand(CheckedContinuation<PooledConnection?, any Error>)
        }
        let next = state.withLock { state -> Next in
            if state.isClosed {
                state.open -= 1
                return .close
            }
            guard !state.waiting.isEmpty else {
                state.idle.append(connection)
                return .keep
            }
            return .hand(state.waiting.removeFirst().continuation)
        }
        switch next {
        case .close: await connection.close()
        case .keep: break
        case .hand(let continuation): continuation.resume(returning: connection)
        }
    }

    func close() async {
        let (idle, waiting) = state.withLock { state in
            state.isClosed = true
            defer {
                state.open -= state.idle.count
                state.idle = []
                state.waiting = []
            }
            return (state.idle, state.waiting)
        }
        for waiter in waiting { waiter.continuation.resume(throwing: closed) }
        for connection in idle { await connection.close() }
    }

    private var closed: DionysusError { DionysusError(.closed, "the database \(target.location) has been closed") }

    /// An idle connection, or nil where a new one may be opened. Waits while all are in use.
    private func next() async throws -> PooledConnection? {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let timeout = Task {
            try await Task.sleep(for: options.acquireTimeout)
            fail(id, with: exhausted)
        }
        defer { timeout.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in wait(id, continuation) }
        } onCancel: {
            fail(id, with: CancellationError())
        }
    }

    private var exhausted: DionysusError {
        DionysusError(
            .databaseUnavailable,
            "all \(limit) connections to \(target.location) were in use for \(options.acquireTimeout)",
            advice: "raise maxConnections, or look for transactions that take long",
            isRetriable: true
        )
    }

    private func wait(_ id: Int, _ continuation: CheckedContinuation<PooledConnection?, any Error>) {
        let answer = state.withLock { state -> Result<PooledConnection?, any Error>? in
            if state.isClosed { return .failure(closed) }
            if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
            if let connection = state.idle.popLast() { return .success(connection) }
            if state.open < limit {
                state.open += 1
                return .success(nil)
            }
            state.waiting.append((id, continuation))
            return nil
        }
        if let answer { continuation.resume(with: answer) }
    }

    private func fail(_ id: Int, with error: any Error) {
        let continuation = state.withLock { state -> CheckedContinuation<PooledConnection?, any Error>? in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                if error is CancellationError { state.cancelled.insert(id) }
                return nil
            }
            return state.waiting.remove(at: index).continuation
        }
        continuation?.resume(throwing: error)
    }

    /// A connection is gone; the next in line may open another.
    private func forget() {
        let continuation = state.withLock { state -> CheckedContinuation<PooledConnection?, any Error>? in
            guard !state.waiting.isEmpty else {
                state.open -= 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        continuation?.resume(returning: nil)
    }
}
