import Dionysus
import Synchronization

/// Connections that are handed out one task at a time, in the order of asking.
///
/// A connection that was lost stays in the pool: it connects again when it is next used. So does one that was closed because
/// its buffers had become large.
final class ConnectionPool: Sendable {
    fileprivate struct State {
        var idle: [PooledConnection] = []
        var inUse = 0
        var waiters: [(id: Int, continuation: CheckedContinuation<PooledConnection, any Error>)] = []
        var lastWaiter = 0
        var isClosed = false
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    private let target: ConnectionTarget
    private let limit: Int
    private let acquireTimeout: Duration
    private let state = Mutex(State())

    init(target: ConnectionTarget, limit: Int, acquireTimeout: Duration) {
        self.target = target
        self.limit = max(1, limit)
        self.acquireTimeout = acquireTimeout
    }

    /// A connection for one caller until it is given back.
    func acquire() async throws -> PooledConnection {
        try Task.checkCancellation()
        if let connection = try state.withLock({ try takeFree(&$0) }) { return connection }
        return try await waitInLine()
    }

    func giveBack(_ connection: PooledConnection) async {
        if connection.hasLargeBuffers { await connection.close() }
        enum Next {
            case keep
            case hand(CheckedContinuation<PooledConnection, any Error>)
            case close
        }
        let next = state.withLock { state -> Next in
            if state.isClosed { return .close }
            guard !state.waiters.isEmpty else {
                state.inUse -= 1
                state.idle.append(connection)
                return .keep
            }
            return .hand(state.waiters.removeFirst().continuation)
        }
        switch next {
        case .keep: break
        case .hand(let continuation): continuation.resume(returning: connection)
        case .close:
            await connection.close()
            let closing = state.withLock { state in
                state.inUse -= 1
                return state.takeClosingIfDone()
            }
            for continuation in closing { continuation.resume() }
        }
    }

    /// Refuses those who wait and those who come, and closes every connection once it is given back.
    func close() async {
        let (idle, waiters) = state.withLock { state in
            state.isClosed = true
            defer {
                state.idle = []
                state.waiters = []
            }
            return (state.idle, state.waiters)
        }
        for waiter in waiters { waiter.continuation.resume(throwing: closed) }
        for connection in idle { await connection.close() }
    }

    /// Waits until all connections of a closed pool have been given back.
    func drain() async {
        await withCheckedContinuation { continuation in
            let closing = state.withLock { state in
                state.closing.append(continuation)
                return state.takeClosingIfDone()
            }
            for continuation in closing { continuation.resume() }
        }
    }

    // MARK: Waiting

    private func takeFree(_ state: inout State) throws -> PooledConnection? {
        if state.isClosed { throw closed }
        if let connection = state.idle.popLast() {
            state.inUse += 1
            return connection
        }
        guard state.inUse < limit else { return nil }
        state.inUse += 1
        return PooledConnection(target: target)
    }

    private func waitInLine() async throws -> PooledConnection {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let deadline = Task {
            try await Task.sleep(for: acquireTimeout)
            giveUp(id, because: exhausted)
        }
        defer { deadline.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in enqueue(id, continuation) }
        } onCancel: {
            giveUp(id, because: CancellationError())
        }
    }

    private func enqueue(_ id: Int, _ continuation: CheckedContinuation<PooledConnection, any Error>) {
        let answer = state.withLock { state -> Result<PooledConnection, any Error>? in
            // A cancellation that came before this waiter stood in the line has left its mark on the task.
            if Task.isCancelled { return .failure(CancellationError()) }
            do {
                if let connection = try takeFree(&state) { return .success(connection) }
            } catch {
                return .failure(error)
            }
            state.waiters.append((id, continuation))
            return nil
        }
        if let answer { continuation.resume(with: answer) }
    }

    private func giveUp(_ id: Int, because error: any Error) {
        let continuation = state.withLock { state -> CheckedContinuation<PooledConnection, any Error>? in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index).continuation
        }
        continuation?.resume(throwing: error)
    }

    private var exhausted: DionysusError {
        DionysusError(
            .databaseUnavailable,
            "all \(limit) connections to \(target.location) were in use for \(acquireTimeout)",
            advice: "allow more connections, or look for transactions that take long",
            isRetriable: true
        )
    }

    private var closed: DionysusError { DionysusError(.closed, "the database \(target.location) has been closed") }
}

extension ConnectionPool.State {
    fileprivate mutating func takeClosingIfDone() -> [CheckedContinuation<Void, Never>] {
        guard isClosed, inUse == 0 else { return [] }
        defer { closing = [] }
        return closing
    }
}
