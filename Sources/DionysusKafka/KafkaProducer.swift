import Dionysus
import Synchronization

/// Sends messages, and replaces the client after a fatal error.
final class KafkaProducer: MessageProducer {
    private struct State {
        /// The last session is in use; earlier ones are shutting down.
        var sessions: [ProducerSession]
        var isClosed = false
    }

    private let state: Mutex<State>
    private let makeSession: @Sendable () throws -> ProducerSession
    private let shortages: @Sendable (Set<String>) async throws -> [String: String]
    private let onClose: @Sendable (KafkaProducer) -> Void

    /// - Parameters:
    ///   - makeSession: Creates a client.
    ///   - shortages: Finds topics with too few in-sync replicas, with the problem.
    ///   - onClose: Called when it has been closed.
    init(
        _ makeSession: @escaping @Sendable () throws -> ProducerSession,
        shortages: @escaping @Sendable (Set<String>) async throws -> [String: String],
        onClose: @escaping @Sendable (KafkaProducer) -> Void
    ) throws {
        self.makeSession = makeSession
        self.shortages = shortages
        self.onClose = onClose
        state = Mutex(State(sessions: [try makeSession()]))
    }

    var outage: DionysusError? { state.withLock { $0.sessions.last?.outage } }

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        guard !messages.isEmpty else { return [] }
        do throws(DionysusError) {
            while true {
                let session = try session()
                if let results = await session.send(messages) {
                    return session.outage == nil ? await explained(results, messages) : results
                }
            }
        } catch {
            return messages.map { _ in .failure(error) }
        }
    }

    /// Explains why reachable brokers don't accept messages: librdkafka only retries and then reports a timeout.
    private func explained(
        _ results: DeliveryTable.Results,
        _ messages: [OutgoingMessage]
    ) async -> DeliveryTable.Results {
        let late = results.indices.filter { place in
            if case .failure(let error) = results[place] { error.code == .brokerUnavailable } else { false }
        }
        guard !late.isEmpty else { return results }
        let found = (try? await shortages(Set(late.map { messages[$0].topic }))) ?? [:]
        guard !found.isEmpty else { return results }
        var results = results
        for place in late {
            let topic = messages[place].topic
            guard let shortage = found[topic] else { continue }
            results[place] = .failure(
                DionysusError(
                    .brokerUnavailable,
                    "a message for topic '\(topic)' was not delivered: \(shortage)",
                    advice: "restore the brokers that hold its replicas",
                    isRetriable: true
                )
            )
        }
        return results
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
                        "no Kafka client can be created to replace one that failed",
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
