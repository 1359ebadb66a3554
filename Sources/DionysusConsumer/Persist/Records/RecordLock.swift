import Dionysus

/// The keys that a batch holds while it is written.
struct RecordLock: Sendable {
    let provider: any MutexProvider
    /// In ascending order, each once.
    let keys: [String]
    let errorHandler: any ErrorHandler

    /// Does work while no one else holds any of the keys.
    func hold<T: Sendable>(_ work: () async throws -> Verdict<T>) async throws -> Verdict<T> {
        guard !keys.isEmpty else { return try await work() }
        return try await WrappedWork(by: "the mutex provider", errorHandler, ErrorContext("release locks"))
            .run(work) { next in try await provider.withLocks(keys, next) }
    }

    /// Takes the locks that the transaction holds.
    func take(in transaction: inout Transaction) throws {
        guard !keys.isEmpty else { return }
        do {
            try provider.lock(keys, in: &transaction)
        } catch {
            throw DionysusError.ofApplication(error, "the mutex provider failed")
        }
    }
}

extension RecordSharing {
    /// The lock on everything that messages write.
    func lock(of messages: [DecodedMessage], _ errorHandler: any ErrorHandler) -> RecordLock {
        var keys: Set<String> = []
        if let key {
            for event in messages.lazy.flatMap(\.incomingEvents) { if let key = key(event) { keys.insert(key) } }
        } else {
            for event in messages.lazy.flatMap(\.events) {
                for record in event.records { Self.collect(record, of: event.model, into: &keys) }
            }
        }
        return RecordLock(provider: provider, keys: keys.sorted(), errorHandler: errorHandler)
    }

    private static func collect(_ record: RecordPayload, of model: String, into keys: inout Set<String>) {
        if let id = record.id { keys.insert("\(model):\(id.idText)") }
        for sideload in record.sideloads {
            for id in sideload.ids { keys.insert("\(sideload.model):\(id.idText)") }
            for member in sideload.records { collect(member, of: sideload.model, into: &keys) }
        }
    }
}
