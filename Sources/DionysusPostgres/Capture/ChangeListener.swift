import Dionysus
import Synchronization

import class Foundation.Thread

/// Listens for what the capture triggers announce.
///
/// It has a connection and a thread of its own, since a notification comes when it comes and libpq blocks. Both exist
/// from the first time it is armed.
final class ChangeListener: ChangeSignal {
    private let line: ListeningLine

    init(target: ConnectionTarget, outbox: OutboxTables, onChange: @escaping @Sendable () -> Void) {
        line = ListeningLine(target: target, outbox: outbox, onChange: onChange)
    }

    // The thread would listen for the rest of the process's life.
    deinit { _ = line.give(.close(nil)) }

    func arm() async throws -> Bool {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try line.start()
            } catch {
                return continuation.resume(throwing: error)
            }
            if !line.give(.arm(continuation)) {
                continuation.resume(throwing: DionysusError(.closed, "the change signal has been closed"))
            }
        }
    }

    func disarm() async { _ = line.give(.disarm) }

    func close() async {
        await withCheckedContinuation { continuation in
            if !line.give(.close(continuation)) { continuation.resume() }
        }
    }
}

/// What a listener and its thread share: the commands for the thread.
private final class ListeningLine: Sendable {
    enum Command {
        case arm(CheckedContinuation<Bool, any Error>)
        case disarm
        case close(CheckedContinuation<Void, Never>?)
    }

    private struct State {
        var commands: [Command] = []
        var pipe: WakePipe?
        var isClosed = false
    }

    private let target: ConnectionTarget
    private let outbox: OutboxTables
    private let onChange: @Sendable () -> Void
    private let state = Mutex(State())

    init(target: ConnectionTarget, outbox: OutboxTables, onChange: @escaping @Sendable () -> Void) {
        self.target = target
        self.outbox = outbox
        self.onChange = onChange
    }

    /// - Returns: Whether there is a thread to take the command.
    func give(_ command: Command) -> Bool {
        let pipe = state.withLock { state -> WakePipe? in
            guard !state.isClosed, let pipe = state.pipe else { return nil }
            state.commands.append(command)
            if case .close = command { state.isClosed = true }
            return pipe
        }
        pipe?.wake()
        return pipe != nil
    }

    func start() throws {
        let pipe = try state.withLock { state -> WakePipe? in
            guard state.pipe == nil, !state.isClosed else { return nil }
            let pipe = try WakePipe()
            state.pipe = pipe
            return pipe
        }
        guard let pipe else { return }
        let thread = Thread { [self] in listen(pipe) }
        thread.name = "dionysus-postgres-listener"
        thread.start()
    }

    private func listen(_ pipe: WakePipe) {
        let session = ListeningSession(target: target, outbox: outbox)
        while true {
            let commands = state.withLock { state in
                defer { state.commands = [] }
                return state.commands
            }
            for command in commands {
                switch command {
                case .arm(let continuation): continuation.resume(with: Result { try session.arm() })
                case .disarm: session.disarm()
                case .close(let continuation):
                    session.close()
                    continuation?.resume()
                    return
                }
            }
            // What came while a command was answered does not make the socket readable again.
            if session.takeAnnouncements() { onChange() }
            pipe.wait(forSocket: session.socket)
        }
    }
}
