import Dionysus
import Synchronization

/// Takes batches from all producers of a process and commits together what has come while the disk was busy.
final class AppendQueue: Sendable {
    private struct Entry {
        let producer: UInt64
        let batch: AppendBatch
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Appender.Results, Never>
    }

    private struct State {
        var waiting: [Entry] = []
        /// How many batches each producer has waiting or in the current transaction.
        var pending: [UInt64: Int] = [:]
        var isDraining = false
    }

    /// How many messages one transaction takes at most, so that no producer waits long for its turn.
    private static let maximumMessages = 20_000

    private let state = Mutex(State())
    private let log: LogFile
    private let catalogue: TopicCatalogue
    private let watch: LogWatch
    private let options: EmbeddedLogOptions

    init(log: LogFile, catalogue: TopicCatalogue, watch: LogWatch, options: EmbeddedLogOptions) {
        self.log = log
        self.catalogue = catalogue
        self.watch = watch
        self.options = options
    }

    /// Appends a batch and waits until it is durable.
    func append(
        _ batch: AppendBatch,
        from producer: UInt64,
        deadline: ContinuousClock.Instant
    ) async -> Appender.Results {
        await withCheckedContinuation { continuation in
            let entry = Entry(producer: producer, batch: batch, deadline: deadline, continuation: continuation)
            let mustDrain = state.withLock { state in
                state.waiting.append(entry)
                state.pending[producer, default: 0] += 1
                defer { state.isDraining = true }
                return !state.isDraining
            }
            if mustDrain { Task { await drain() } }
        }
    }

    /// Refuses what a producer has waiting.
    func purge(_ producer: UInt64) {
        let purged = state.withLock { state in
            let purged = state.waiting.filter { $0.producer == producer }
            state.waiting.removeAll { $0.producer == producer }
            return purged
        }
        let error = DionysusError(
            .brokerUnavailable,
            "the message was dropped before it was appended to the embedded log \(log.path)",
            advice: "send it again if it is still wanted",
            isRetriable: true
        )
        for entry in purged { refuse(entry, error) }
    }

    func hasPending(_ producer: UInt64) -> Bool { state.withLock { $0.pending[producer] != nil } }

    private func drain() async {
        while let entries = takeEntries() {
            let now = ContinuousClock.now
            let late = entries.filter { $0.deadline < now }
            let timely = entries.filter { $0.deadline >= now }
            for entry in late { refuse(entry, lateError()) }
            if !timely.isEmpty { await commit(timely) }
            watch.notify()
        }
    }

    private func takeEntries() -> [Entry]? {
        state.withLock { state in
            var count = 0
            let end =
                state.waiting.firstIndex { entry in
                    defer { count += entry.batch.messages.count }
                    return count > 0 && count + entry.batch.messages.count > Self.maximumMessages
                } ?? state.waiting.endIndex
            let entries = Array(state.waiting[..<end])
            state.waiting.removeFirst(end)
            state.isDraining = !entries.isEmpty
            return entries.isEmpty ? nil : entries
        }
    }

    private func commit(_ entries: [Entry]) async {
        let batches = entries.map(\.batch)
        do {
            let (results, topics) = try await log.write { [catalogue, options] connection in
                var appender = Appender(connection: connection, catalogue: catalogue, options: options)
                return try appender.append(batches)
            }
            catalogue.remember(topics)
            for (entry, results) in zip(entries, results) { finish(entry, results) }
        } catch {
            for entry in entries { refuse(entry, sendError(error)) }
        }
    }

    private func finish(_ entry: Entry, _ results: Appender.Results) {
        state.withLock { state in
            let rest = (state.pending[entry.producer] ?? 1) - 1
            state.pending[entry.producer] = rest > 0 ? rest : nil
        }
        entry.continuation.resume(returning: results)
    }

    private func refuse(_ entry: Entry, _ error: DionysusError) {
        finish(entry, Array(repeating: .failure(error), count: entry.batch.messages.count))
    }

    private func lateError() -> DionysusError {
        DionysusError(
            .brokerUnavailable,
            "a message waited longer than its timeout for its turn in the embedded log \(log.path)",
            advice: "send smaller batches, or raise messageTimeout",
            isRetriable: true
        )
    }

    private func sendError(_ error: any Error) -> DionysusError {
        if var error = error as? DionysusError {
            // For a sender, a log that is damaged or closed is a broker that can't be reached.
            error.code = .brokerUnavailable
            return error
        }
        return DionysusError(
            .brokerUnavailable,
            "messages can't be appended to the embedded log \(log.path)",
            underlying: error
        )
    }
}
