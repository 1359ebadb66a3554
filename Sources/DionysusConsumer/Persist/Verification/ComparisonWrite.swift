import Dionysus

/// What one transaction writes about compared messages.
struct ComparisonWrite: Sendable {
    /// The verification topic.
    let topic: String
    let batch: BoundBatch
    /// The messages that were compared.
    let messages: [ConsumedMessage]
    /// Those that can't be read.
    let unreadable: [ConsumedMessage]
    /// What was told about runs, each with the table of its model, if that is kept.
    let markers: [(marker: VerificationMarker, table: ReplicaTable?)]
    let checkpoint: Checkpoint
}

extension Persister {
    /// Compares rows with messages, and notes what seems to differ together with the messages' offset.
    /// - Returns: How many messages seem to differ, or why nothing has been changed.
    func compare(_ write: ComparisonWrite, in store: VerificationStore) async throws -> Verdict<Int> {
        try await database.write { [self] transaction in
            let dialect = transaction.dialect
            var preamble = Preamble()
            if let refusal = try begin(write.checkpoint, dialect, &preamble, in: &transaction) {
                return .rollBack(.refused(refusal))
            }
            if case .refused(let refusal) = try preamble.run(in: &transaction) { return .rollBack(.refused(refusal)) }
            do {
                return .commit(.done(try Self.note(write, store, dialect, in: &transaction)))
            } catch {
                throw DionysusError.ofReplicas(error, [write.batch])
            }
        }
    }

    private static func note(
        _ write: ComparisonWrite,
        _ store: VerificationStore,
        _ dialect: any SQLDialect,
        in transaction: inout Transaction
    ) throws -> Int {
        var statements: [SQL] = []
        let byRun = Dictionary(grouping: write.messages) { $0.verificationRun ?? "" }
        for (run, messages) in byRun.sorted(by: { $0.key < $1.key }) {
            statements.append(store.count(run, write.topic, model: nil, records: messages.count, dialect))
        }
        for (marker, table) in write.markers {
            let isChunk = marker.kind == .chunk
            statements.append(
                store.count(marker.run, write.topic, model: marker.model, records: 0, chunks: isChunk ? 1 : 0, dialect)
            )
            let extra = marker.kind == .cancelled ? nil : table.map { ExtraRows(table: $0, dialect: dialect) }
            if let statement = extra?.statement(marker) {
                let ids = try transaction.run(statement).rows.compactMap { try $0.text(0) }
                if !ids.isEmpty {
                    statements.append(
                        store.keep(
                            rows: ids,
                            of: marker.model,
                            version: marker.version,
                            write.topic,
                            marker.run,
                            dialect
                        )
                    )
                }
            }
            let comparesKeys = extra?.comparesKeys(of: marker) ?? false
            if comparesKeys, let keys = extra?.keys(of: marker), !keys.isEmpty, let table {
                statements.append(store.keep(keys: keys, of: table, write.topic, marker.run, dialect))
            }
            if !isChunk {
                let version = comparesKeys ? marker.version : nil
                statements += store.end(marker, write.topic, keysVersion: version, dialect)
            }
        }
        let suspicions = try ReplicaComparison.differences(write.batch, in: &transaction)
        var suspects = write.unreadable
        var offsets = Set(suspects.map(\.offset))
        for suspicion in suspicions where offsets.insert(suspicion.message.offset).inserted {
            suspects.append(suspicion.message)
        }
        if !suspects.isEmpty { statements.append(store.keep(suspects, write.topic, dialect)) }
        if !statements.isEmpty { try transaction.run(statements) }
        return suspects.count
    }
}
