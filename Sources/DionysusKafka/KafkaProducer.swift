import Dionysus
import Synchronization

/// Sends messages, with another client whenever one has failed for good.
final class KafkaProducer: MessageProducer {
    private struct State {
        /// The last one is in use; those before it are ending.
        var sessions: [ProducerSession]
        var isClosed = false
    }

    private let state: Mutex<State>
    private let makeSession: @Sendable () throws -> ProducerSession
    private let onClose: @Sendable (KafkaProducer) -> Void

    init(
        _ makeSession: @escaping @Sendable () throws -> ProducerSession,
        onClose: @escaping @Sendable (KafkaProducer) -> Void
    ) throws {
        self.makeSession = makeSession
        self.onClose = onClose
        state = Mutex(State(sessions: [try makeSession()]))
    }

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        guard !messages.isEmpty else { return [] }
        do throws(DionysusError) {
            while true {
                if let results = await (try session()).send(messages) { return results }
            }
        } catch {
            return messages.map { _ in .failure(error) }
        }
    }

    /// The session in use; a new one if the last has failed.
    func session() throws(DionysusError) -> ProducerSession {
        let result: Result<ProducerSession, DionysusError> = state.withLock { state in
            guard !state.isClosed else {
                return .failure(DionysusError(.closed, "the Kafka producer has been closed"))
            }
            if let session = state.sessions.last, session.isOpen { return .success(session) }
            state.sessions.removeAll { $0.hasEnded }
            do {
                let session = try makeSession()
                state.sessions.append(session)
                return .success(session)
            } catch {
                return .failure(
                    DionysusError(
                        .brokerUnavailable,
                        "no Kafka client can be made in place of one that failed",
                        isRetriable: true,
                        underlying: error
                    )
                )
            }
        }
        return try result.get()
    }

    func purge() {
        state.withLock { $0.sessions.last }?.purge()
    }

    func close(deadline: Duration) async {
        let sessions = state.withLock { state in
            state.isClosed = true
            return state.sessions
        }
        for session in sessions { await session.close(deadline: deadline) }
        onClose(self)
    }
}
