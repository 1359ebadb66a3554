import Dionysus
import Synchronization

/// Messages that wait for a worker.
///
/// It does not bound itself: a producer waits for room, or learns how much waits and stops reading.
final class MessageQueue: Sendable {
    private struct State {
        var messages: [ConsumedMessage] = []
        var bytes = 0
        /// The bytes of messages that were taken and wait for memory, which are still there.
        var takenBytes = 0
        /// Up to where there are no messages behind those that wait; nil if that isn't known.
        var end: Int64?
        var isClosed = false
        var hasHadMessages = false
        var taker: CheckedContinuation<Void, Never>?
        var fillers: [CheckedContinuation<Void, Never>] = []
        var drainers: [CheckedContinuation<Void, Never>] = []

        var isEmpty: Bool { messages.isEmpty && end == nil }
        var isIdle: Bool { isClosed || isEmpty && taker != nil }
    }

    private let state = Mutex(State())
    private let limit: Int
    /// Large messages are few at a time.
    private let byteLimit: Int
    /// What the messages of a batch may take while they are worked on.
    private let batchLimit: Int
    private let onChange: @Sendable (_ messages: Int, _ bytes: Int) -> Void
    private let onTaken: @Sendable () async -> Void

    /// - Parameters:
    ///   - limit: How many messages make it full.
    ///   - byteLimit: How many bytes make it full.
    ///   - batchLimit: What the messages that are taken at once may take while they are worked on.
    ///   - onChange: Called with how many messages and bytes there are more than before.
    ///   - onTaken: Called when messages have been taken for good, after that.
    init(
        limit: Int,
        byteLimit: Int,
        batchLimit: Int,
        onChange: @escaping @Sendable (_ messages: Int, _ bytes: Int) -> Void,
        onTaken: @escaping @Sendable () async -> Void
    ) {
        self.limit = limit
        self.byteLimit = byteLimit
        self.batchLimit = batchLimit
        self.onChange = onChange
        self.onTaken = onTaken
    }

    /// Adds messages behind those that wait; a closed queue drops them.
    func append(_ messages: [ConsumedMessage]) {
        change { state in
            guard !state.isClosed else { return }
            state.messages += messages
            if !messages.isEmpty { state.hasHadMessages = true }
            state.bytes += messages.size
            if !messages.isEmpty { state.end = nil }
        }
    }

    /// Notes that no message follows those that wait before an offset.
    func reached(_ end: Int64) { change { if !$0.isClosed { $0.end = end } } }

    /// Puts what was taken back before what waits.
    func putBack(_ taken: QueuedMessages) {
        change { state in
            guard !state.isClosed else { return }
            if state.messages.isEmpty, state.end == nil { state.end = taken.end }
            state.messages = taken.messages + state.messages
            state.bytes += taken.messages.size
        }
    }

    /// Waits for messages, and takes the first of them.
    ///
    /// Only one may take at a time. Cancelling the task that takes closes the queue. What is taken is bounded by what it
    /// will be when it is read, so that many small records in few messages are worked on in parts.
    /// - Parameters:
    ///   - count: How many messages there may be.
    ///   - isForGood: Whether nothing of them is counted any more; otherwise their bytes are until ``began()`` is called.
    /// - Returns: At least one message, or up to where there is none; nil once the queue is closed.
    func take(atMost count: Int, forGood isForGood: Bool = true) async -> QueuedMessages? {
        while true {
            let (taken, isClosed) = change { state in
                var taken = QueuedMessages()
                let batch = state.messages.batch(atMost: count, taking: batchLimit)
                taken.messages = Array(state.messages.prefix(batch.count))
                taken.workingSize = batch.workingSize
                state.messages.removeFirst(taken.messages.count)
                let size = taken.messages.size
                state.bytes -= size
                if !isForGood { state.takenBytes += size }
                if state.messages.isEmpty {
                    taken.end = state.end
                    state.end = nil
                }
                return (taken, state.isClosed)
            }
            if isClosed { return nil }
            if !taken.isEmpty {
                if isForGood { await onTaken() }
                return taken
            }
            await orClosed { continuation in change { $0.taker = continuation } }
        }
    }

    /// Notes that what was taken has got its memory, so that it is counted there.
    func began() async {
        change { $0.takenBytes = 0 }
        await onTaken()
    }

    /// Waits until the queue is not full or is closed.
    ///
    /// Cancelling the task closes the queue.
    func room() async {
        while state.withLock({ isFull($0) && !$0.isClosed }) {
            await orClosed { continuation in change { $0.fillers.append(continuation) } }
        }
    }

    /// Waits until what was in the queue has been worked on, or the queue is closed.
    ///
    /// Cancelling the task closes the queue.
    func drained() async {
        while !isIdle { await orClosed { continuation in change { $0.drainers.append(continuation) } } }
    }

    /// Waits for a continuation that a change of the queue resumes.
    private func orClosed(_ wait: (CheckedContinuation<Void, Never>) -> Void) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { wait($0) }
        } onCancel: {
            close()
        }
    }

    /// Drops what waits, and lets the one who takes end.
    func close() {
        change { state in
            state.isClosed = true
            state.messages = []
            state.bytes = 0
            state.end = nil
        }
    }

    /// Whether nothing waits, and the one who takes does.
    var isIdle: Bool { state.withLock { $0.isIdle } }

    /// Whether there has been a message in it.
    var hasHadMessages: Bool { state.withLock(\.hasHadMessages) }

    /// Whether it takes no more messages.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    private func isFull(_ state: State) -> Bool {
        state.messages.count >= limit || state.bytes >= byteLimit
    }

    /// Changes the state and wakes those who wait for what has come of it.
    private func change<T: Sendable>(_ body: (inout State) -> T) -> T {
        let (result, waiting) = state.withLock { state -> (T, [CheckedContinuation<Void, Never>]) in
            let (messages, bytes) = (state.messages.count, state.bytes + state.takenBytes)
            let result = body(&state)
            let more = (messages: state.messages.count - messages, bytes: state.bytes + state.takenBytes - bytes)
            if more != (0, 0) { onChange(more.messages, more.bytes) }
            var waiting: [CheckedContinuation<Void, Never>] = []
            if state.isClosed || !state.isEmpty, let taker = state.taker {
                waiting.append(taker)
                state.taker = nil
            }
            if state.isClosed || !isFull(state) {
                waiting += state.fillers
                state.fillers = []
            }
            if state.isIdle {
                waiting += state.drainers
                state.drainers = []
            }
            return (result, waiting)
        }
        for continuation in waiting { continuation.resume() }
        return result
    }
}

/// What was taken from a queue.
struct QueuedMessages: Sendable {
    var messages: [ConsumedMessage] = []
    /// The offset before which no message follows the last one; nil if that isn't known.
    var end: Int64?
    /// About how much memory the messages take while they are worked on, in bytes.
    var workingSize = 0

    var isEmpty: Bool { messages.isEmpty && end == nil }
    /// The first offset that it is about.
    var first: Int64? { messages.first?.offset ?? end }
}
