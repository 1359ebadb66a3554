import Dionysus

/// The end of verification runs.
extension GenesisWorker {
    /// Whether a verification has published all of its records, but not yet everything that they show was captured by then:
    /// replicas couldn't have it.
    func mustWait(
        _ run: ActiveRun,
        for observerRuns: [ActiveRun],
        in transaction: inout Transaction
    ) throws -> Bool {
        guard run.selection.verification != nil, let fence = run.announcedAt else { return false }
        let isReached = observerRuns.contains {
            $0.topic == run.verifiedTopic && $0.model == run.model && $0.createdAt <= fence
        }
        if isReached { return true }
        let bound = outbox.support.storedTime("\(fence)")
        return try !transaction.run(statements.unpublished(to: run.verifiedTopic, before: bound)).isEmpty
    }

    /// Ends a verification, once everything that its records show has been published to the topic itself.
    func complete(_ run: ActiveRun, _ scope: VerificationScope) async throws -> Bool {
        guard run.announcedAt != nil else {
            return try await database.transaction(.write) { [statements] in
                try $0.run(statements.fence(run.id)).affectedRows == 1
            }
        }
        let isOurs = try await database.transaction(.write) { [statements, outbox] transaction in
            let finished = try transaction.run(statements.finish(run.id, from: [.running], as: .completed))[0]
            guard finished.affectedRows == 1 else { return false }
            try VerificationMarking(outbox: outbox).mark(.end, run, scope, in: &transaction)
            return true
        }
        if isOurs { telemetry.logger.info("verification run \(run.id) of \(run.model) in \(run.topic) is published") }
        return isOurs
    }
}
