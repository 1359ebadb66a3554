import Dionysus

import struct Foundation.UUID

/// Writes the messages about verification runs to the outbox.
struct VerificationMarking {
    let outbox: Outbox

    /// The run among all runs of all sources.
    private func name(of run: Int64, in transaction: inout Transaction) throws -> String {
        guard let source = try transaction.run(outbox.sourceID).first?.text(0) else {
            throw DionysusError(.declaration, "the outbox has no name", advice: "run migrate")
        }
        // As messages of records have it in their header.
        return "\(source)-\(run)"
    }

    /// Writes the message about a chunk whose keys have been read in the same transaction.
    func mark(
        _ chunk: GenesisChunk,
        of run: ActiveRun,
        _ scope: VerificationScope,
        after: String?,
        until: String?,
        in transaction: inout Transaction
    ) throws {
        let marker = VerificationMarker(
            run: try name(of: run.id, in: &transaction),
            number: run.id,
            kind: .chunk,
            topic: run.verifiedTopic,
            model: run.model,
            version: scope.version,
            chunk: chunk.number,
            keys: .init(after: after, from: scope.from, until: until),
            ids: try chunk.recordIDs(in: &transaction)
        )
        try write(marker, in: &transaction)
    }

    /// Writes the message about the end of a run.
    func mark(
        _ kind: VerificationMarker.Kind,
        _ run: ActiveRun,
        _ scope: VerificationScope,
        in transaction: inout Transaction
    ) throws {
        let marker = VerificationMarker(
            run: try name(of: run.id, in: &transaction),
            number: run.id,
            kind: kind,
            topic: run.verifiedTopic,
            model: run.model,
            version: scope.version,
            chunk: run.chunks,
            keys: .init(after: run.splitUntil, from: scope.from, until: scope.to)
        )
        try write(marker, in: &transaction)
    }

    private func write(_ marker: VerificationMarker, in transaction: inout Transaction) throws {
        guard let table = try transaction.describe(table: outbox.tables.path) else { return }
        let row = MessageRows.Row(
            id: UUID().uuidString.lowercased(),
            orderKey: marker.run,
            partitionKey: nil,
            key: Array(marker.run.utf8),
            value: Array(marker.json.text.utf8),
            headers: marker.headers
        )
        let rows = MessageRows(
            [row],
            topic: VerificationMarker.topic(of: marker.topic),
            support: outbox.support,
            dialect: outbox.dialect
        )
        try transaction.run(rows.insertion(into: table))
        if let wakeUp = try outbox.support.wakeUp(in: &transaction) { try transaction.run(wakeUp) }
    }
}
