import Synchronization

/// What is done about a committed batch while the next one is written: one piece of work after the other.
final class AfterCommit: Sendable {
    private let last = Mutex<Task<Void, Never>?>(nil)
    private let running = Mutex(0)

    /// Whether there is nothing left to do.
    var isIdle: Bool { running.withLock { $0 == 0 } }

    /// Waits for the work before this, and begins.
    func begin(_ work: @escaping @Sendable () async -> Void) async {
        running.withLock { $0 += 1 }
        await finish()
        let task = Task {
            await work()
            running.withLock { $0 -= 1 }
        }
        last.withLock { $0 = task }
    }

    /// Waits until all work is done; it is cancelled if the task is.
    func finish() async {
        guard let task = last.withLock(\.self) else { return }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
