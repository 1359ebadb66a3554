import Dionysus
import Dispatch

/// A connection and the queue on which everything about it happens, because libpq blocks.
///
/// `@unchecked Sendable`: the session is touched on the queue only, and the queue runs one block at a time.
final class PooledConnection: @unchecked Sendable {
    private let queue: DispatchQueue
    private let session: Session
    private let interruption = Interruption()

    init(target: ConnectionTarget) {
        queue = DispatchQueue(label: "dionysus.postgres.connection")
        session = Session(target: target, interruption: interruption)
    }

    /// Whether it takes much memory that only closing it sets free.
    var hasLargeBuffers: Bool { session.hasLargeBuffers.load(ordering: .relaxed) }

    func close() async { await run { $0.close() } }

    /// Runs a body on the connection's queue; its statements end when the task is cancelled, but for `COMMIT` and `ROLLBACK`.
    func runInterruptibly<T: Sendable>(_ body: @escaping @Sendable (Session) throws -> T) async throws -> T {
        let turn = interruption.begin()
        defer { _ = interruption.begin() }
        return try await withTaskCancellationHandler {
            try await run(body)
        } onCancel: {
            interruption.request(turn: turn)
        }
    }

    /// Runs a body on the connection's queue.
    func run<T: Sendable>(_ body: @escaping @Sendable (Session) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in continuation.resume(with: Result { try body(session) }) }
        }
    }

    /// Runs a body that can't fail on the connection's queue.
    func run<T: Sendable>(_ body: @escaping @Sendable (Session) -> T) async -> T {
        await withCheckedContinuation { continuation in
            queue.async { [self] in continuation.resume(returning: body(session)) }
        }
    }
}
