import Dionysus
import DionysusConsumer
import Synchronization

/// The topics that somebody follows, each read once for all who do.
final class TopicTails: Sendable {
    /// How many are followed at once.
    private static let limit = 16

    private let tails = Mutex<[String: TopicTail]>([:])

    /// Follows a topic, or goes on with it.
    /// - Parameter name: The same for all who look for the same.
    /// - Throws: ``/Dionysus/DionysusError`` with code `conflict` if too many topics are followed.
    func tail(_ name: String, _ start: () -> TopicTail) throws -> TopicTail {
        try tails.withLock { tails in
            tails = tails.filter { !$0.value.hasEnded }
            if let tail = tails[name] { return tail }
            guard tails.count < Self.limit else {
                throw DionysusError(
                    .conflict,
                    "\(Self.limit) topics are followed already",
                    advice: "close a page that follows one"
                )
            }
            let tail = start()
            tails[name] = tail
            return tail
        }
    }

    /// Ends all of them, because the console ends.
    func endAll() async {
        let all = tails.withLock { Array($0.values) }
        for tail in all { tail.end() }
        for tail in all { await tail.wait() }
    }
}

/// The newest messages of a topic while somebody looks at them.
final class TopicTail: Sendable {
    /// How many messages are kept.
    private static let capacity = 100
    /// How long it goes on when nobody looks.
    private static let patience = Duration.seconds(30)
    /// How long the first who looks waits for messages.
    private static let firstPatience = Duration.seconds(3)

    private struct State {
        var messages: [ReadMessage] = []
        /// Whether what was there at the beginning has been read, or can't be.
        var hasBegun = false
        var hasEnded = false
        var problem: String?
        var lastLook = ContinuousClock.now
        var reading: Task<Void, Never>?
    }

    private let state = Mutex(State())

    /// Begins to read.
    /// - Parameters:
    ///   - reading: Where to begin; it has to go on behind the end.
    ///   - accepts: Which messages are kept.
    init(_ reading: TopicReading, _ accepts: @escaping @Sendable (ReadMessage) -> Bool) {
        let task = Task { [weak self] in
            do {
                _ = try await reading.run { messages in self?.take(messages.filter(accepts)) ?? false }
                self?.finish(nil)
            } catch {
                self?.finish(error is CancellationError ? nil : "\(error)")
            }
        }
        state.withLock { $0.reading = task }
        Task { [weak self] in
            while let self, !hasEnded {
                if isForgotten { return end() }
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    private var isForgotten: Bool { state.withLock { .now - $0.lastLook > Self.patience } }

    func end() {
        let task = state.withLock { state in
            state.hasEnded = true
            return state.reading
        }
        task?.cancel()
    }

    /// Waits until nothing is read any more.
    func wait() async { await state.withLock { $0.reading }?.value }

    /// The messages, the newest first; the first who asks waits for a moment until there are some.
    /// - Throws: ``/Dionysus/DionysusError`` with what keeps the topic from being read.
    func messages() async throws -> [ReadMessage] {
        let deadline = ContinuousClock.now + Self.firstPatience
        while true {
            let (isReady, messages, problem) = state.withLock { state in
                state.lastLook = .now
                if .now > deadline { state.hasBegun = true }
                return (state.hasBegun || state.hasEnded, state.messages, state.problem)
            }
            if let problem { throw DionysusError(.brokerUnavailable, problem) }
            if isReady { return messages.sorted { $0.place > $1.place } }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// - Returns: Whether more are wanted.
    private func take(_ messages: [ReadMessage]) -> Bool {
        state.withLock { state in
            state.messages += messages
            if state.messages.count > Self.capacity { state.messages.removeFirst(state.messages.count - Self.capacity) }
            state.hasBegun = true
            return !state.hasEnded
        }
    }

    private func finish(_ problem: String?) {
        state.withLock { state in
            state.problem = problem
            state.hasEnded = true
        }
    }
}

extension ReadMessage {
    /// Where it stands among messages of all partitions.
    fileprivate var place: (Timestamp, Int32, Int64) {
        (message.timestamp, message.source.partition, message.offset)
    }
}
