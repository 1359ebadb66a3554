import CLibpq
import Dionysus
import Dispatch
import Synchronization

/// Ends the statements of a connection whose task has been cancelled.
///
/// The connection's thread is inside of libpq meanwhile, so that another thread has to ask the server. The request names the
/// server's process, not the statement: it must not reach one that comes later. So a request is only made while a statement
/// runs, the statement's end waits for requests that are being sent, and libpq returns from one when the server has passed it on.
final class Interruption: Sendable {
    private struct State {
        /// Counts those who have had the connection, one after the other.
        var turn = 0
        var isRequested = false
        var isRunning = false
        var handle: CancelHandle?
    }

    private static let pause = DispatchTimeInterval.milliseconds(250)

    private let state = Mutex(State())
    private let requests = DispatchGroup()

    /// Begins the turn of a caller who has got the connection.
    func begin() -> Int {
        state.withLock { state in
            state.turn += 1
            state.isRequested = false
            return state.turn
        }
    }

    /// Asks the server to end what runs, again and again, and keeps more from running, until the turn is over.
    func request(turn: Int) {
        let isNew = state.withLock { state in
            guard state.turn == turn, !state.isRequested else { return false }
            state.isRequested = true
            return true
        }
        if isNew { ask(turn) }
    }

    /// Whether what runs has been asked to end.
    var isRequested: Bool { state.withLock(\.isRequested) }

    /// Takes the name under which the server knows the connection.
    func connected(_ connection: OpaquePointer?) {
        let handle = connection.flatMap { CancelHandle($0) }
        state.withLock { $0.handle = handle }
    }

    /// Runs statements, which a request ends.
    /// - Throws: `CancellationError` if there has been a request already.
    func whileRunning<T>(_ body: () throws -> T) throws -> T {
        let turn = try state.withLock { state in
            if state.isRequested { throw CancellationError() }
            state.isRunning = true
            return state.turn
        }
        defer {
            state.withLock { if $0.turn == turn { $0.isRunning = false } }
            requests.wait()
        }
        return try body()
    }

    private func ask(_ turn: Int) {
        // libpq waits for the server, so it is not done on the thread that cancels.
        DispatchQueue.global()
            .async { [self] in
                let handle = state.withLock { state -> CancelHandle? in
                    guard state.turn == turn, state.isRunning, let handle = state.handle else { return nil }
                    requests.enter()
                    return handle
                }
                guard let handle else { return }
                handle.cancel()
                requests.leave()
                // It came before the statement, if the server had not got that one yet.
                DispatchQueue.global().asyncAfter(deadline: .now() + Self.pause) { [self] in ask(turn) }
            }
    }
}

/// What libpq needs to ask a server to end a statement.
///
/// `@unchecked Sendable`: this is its only owner, and frees it when it is no longer used; libpq only reads it, from any
/// thread.
private final class CancelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(_ connection: OpaquePointer) {
        guard let pointer = PQgetCancel(connection) else { return nil }
        self.pointer = pointer
    }

    deinit { PQfreeCancel(pointer) }

    func cancel() {
        // If the server can't be reached, the statement ends by losing its connection.
        var reason = [CChar](repeating: 0, count: 256)
        _ = PQcancel(pointer, &reason, Int32(reason.count))
    }
}
