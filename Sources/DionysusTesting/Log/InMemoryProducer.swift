import Dionysus
import Synchronization

/// A producer for an in-memory log.
final class InMemoryProducer: MessageProducer {
    private let log: InMemoryLog
    private let partitioner: Partitioner
    private let isClosed = Atomic(false)

    init(_ log: InMemoryLog, _ partitioner: Partitioner) {
        self.log = log
        self.partitioner = partitioner
    }

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        guard !messages.isEmpty else { return [] }
        guard !isClosed.load(ordering: .acquiring) else {
            let error = DionysusError(.closed, "the in-memory producer has been closed")
            return messages.map { _ in .failure(error) }
        }
        return log.change { [partitioner] state in
            messages.map { message in
                do {
                    return .success(try state.append(message, partitioner))
                } catch let error as DionysusError {
                    return .failure(error)
                } catch {
                    return .failure(DionysusError(.brokerUnavailable, "the message was not taken", underlying: error))
                }
            }
        }
    }

    /// Nothing is ever in flight.
    func purge() {}

    func close(deadline: Duration) async { isClosed.store(true, ordering: .releasing) }
}
