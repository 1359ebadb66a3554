import Dionysus
import ServiceLifecycle

import struct Foundation.UUID

/// Splits runs into chunks, hands due chunks to the relay through the outbox, and completes runs.
///
/// Each step is a short transaction that either happened or didn't: a chunk is marked in the transaction that writes
/// its rows. Any number of workers can run, in one process or many; each skips what another has locked.
struct GenesisWorker: Sendable {
    /// How many chunks of a run are taken before the next run has its turn.
    private static let chunksPerTurn = 8
    /// How many chunks whose rows are being published are looked at.
    private static let chunksUnderWay = 50
    /// How many chunks whose rows wait for another attempt are looked at.
    private static let chunksRetrying = 5

    /// Names this worker among others.
    private let identity = UUID().uuidString
    let database: any CapturingDatabase
    let outbox: Outbox
    let registry: Registry
    /// Models of which no chunk can be read for now.
    let refused: RefusedModels
    let settings: ProducerSettings
    let hooks: GenesisHooks
    let telemetry: RelayTelemetry
    let announcer: EventAnnouncer

    var statements: GenesisStatements { GenesisStatements(tables: outbox.tables, dialect: outbox.dialect) }

    /// How far a run is, and what can be done for it now.
    private struct Standing: Sendable {
        var run: ActiveRun
        /// Chunks of which nothing is left, with what of them is parked.
        var settled: [(number: Int64, parked: Int64)] = []
        /// Chunks of which only failed rows are left.
        var retrying: [Int64] = []
        /// How many rows wait in the outbox.
        var pressure: Int64 = 0
        var hasDueChunk = false
        var isComplete = false
        /// Whether only other rows of the topic are still to be published before a verification ends.
        var waitsForTopic = false

        /// Whether rows of the run are about to be published.
        var waitsForRelay: Bool { pressure > 0 || waitsForTopic }

        func canQueue(_ settings: ProducerSettings) -> Bool {
            hasDueChunk && pressure < Int64(settings.genesisMaxPendingRows)
        }

        func hasWork(_ settings: ProducerSettings) -> Bool {
            !run.isSplit || !settled.isEmpty || !retrying.isEmpty || canQueue(settings) || isComplete
        }
    }

    /// Whether a run could go on now, without anything else being published before.
    func hasWork(in transaction: inout Transaction) throws -> Bool {
        guard try transaction.describe(table: outbox.tables.path(GenesisSchema.chunks)) != nil else { return false }
        let waiting = Set(refused.waiting)
        return try standings(in: &transaction)
            .contains { $0.hasWork(settings) && !waiting.contains(RecordGroup($0.run)) }
    }

    /// What a step has achieved.
    enum Progress: Sendable {
        /// Something was done.
        case worked
        /// Nothing could be done before the relay has published more.
        case waitsForRelay
        /// There was nothing to do.
        case idle
    }

    /// Does what can be done now.
    /// - Parameter onQueued: Called when a chunk has been written to the outbox.
    func step(onQueued: @Sendable () -> Void = {}) async throws -> Progress {
        var hasWorked = false
        let standings = try await database.transaction(.snapshot) { try self.standings(in: &$0) }
        let waiting = Set(refused.waiting)
        for standing in standings where standing.hasWork(settings) {
            guard !waiting.contains(RecordGroup(standing.run)) else { continue }
            do {
                if try await advance(standing, onQueued) { hasWorked = true }
                let accepted = refused.accept([RecordGroup(standing.run)])
                if !accepted.isEmpty { telemetry.acceptedRuns(accepted, problem: refused.problem) }
            } catch let error as DionysusError where error.isRetriable {
                throw error
            } catch let error as DionysusError where error.isOfStatement && error.code != .declaration {
                // What is missing may come back: the run waits for it, and others go on.
                wait(standing.run, error)
            } catch is CancellationError {
                break
            } catch {
                try await fail(standing.run, error)
                hasWorked = true
            }
        }
        if hasWorked { return .worked }
        return standings.contains { $0.waitsForRelay } ? .waitsForRelay : .idle
    }

    /// How all runs stand: one query when there are none.
    private func standings(in transaction: inout Transaction) throws -> [Standing] {
        var standings: [Standing] = []
        for run in try transaction.run(statements.active()).rows.map({ try ActiveRun($0) }) {
            let results = try transaction.run([
                statements.unpublished(run, .queued, limit: Self.chunksUnderWay),
                statements.unpublished(run, .retrying, limit: Self.chunksRetrying),
                statements.outstanding(run.id),
            ])
            var standing = Standing(run: run)
            for row in results[0].rows {
                let (number, waiting) = (try row.integer(0) ?? 0, try row.count(1))
                standing.pressure += waiting
                guard waiting == 0 else { continue }
                if try row.count(2) == 0 {
                    standing.settled.append((number, try row.count(3)))
                } else {
                    standing.retrying.append(number)
                }
            }
            for row in results[1].rows where try row.count(1) + row.count(2) == 0 {
                standing.settled.append((try row.integer(0) ?? 0, try row.count(3)))
            }
            let outstanding = results[2].first
            standing.hasDueChunk = try outstanding?.integer(0).map { $0 < run.due } ?? false
            standing.isComplete = try run.isSplit && outstanding?.integer(1) == nil
            standings.append(standing)
        }
        let observerRuns = standings.map(\.run).filter { $0.selection.reach != nil }
        for index in standings.indices where standings[index].isComplete {
            guard try mustWait(standings[index].run, for: observerRuns, in: &transaction) else { continue }
            standings[index].isComplete = false
            standings[index].waitsForTopic = true
        }
        return standings
    }

    private func advance(_ standing: Standing, _ onQueued: () -> Void) async throws -> Bool {
        let run = standing.run
        var hasWorked = try await settle(standing)
        guard let publication = registry.publication(topic: run.topic, modelName: run.model) else {
            throw Self.undeclared(run)
        }
        if !run.isSplit, try await announceStart(of: run), try await split(run, publication) { hasWorked = true }
        if standing.canQueue(settings) {
            var pressure = standing.pressure
            for _ in 0..<Self.chunksPerTurn where pressure < Int64(settings.genesisMaxPendingRows) {
                guard !Task.isShuttingDownGracefully, let rows = try await queue(run, publication) else { break }
                pressure += Int64(rows)
                onQueued()
                hasWorked = true
            }
        }
        if standing.isComplete, try await complete(run) { hasWorked = true }
        return hasWorked
    }

    private func settle(_ standing: Standing) async throws -> Bool {
        guard !standing.settled.isEmpty || !standing.retrying.isEmpty else { return false }
        let id = standing.run.id
        var changes: [SQL] = []
        if !standing.settled.isEmpty {
            for chunk in standing.settled where chunk.parked > 0 {
                changes.append(statements.park(id, chunk.number, parked: chunk.parked))
            }
            changes.append(statements.settle(id, standing.settled.map(\.number), as: .settled))
        }
        if !standing.retrying.isEmpty {
            changes.append(statements.settle(id, standing.retrying, as: .retrying))
        }
        return try await database.transaction(.write) { [changes] in
            try $0.run(changes).contains { $0.affectedRows > 0 }
        }
    }

    /// Announces a run before it is split.
    /// - Returns: Whether it may be split: false while another worker is about to announce it.
    private func announceStart(of run: ActiveRun) async throws -> Bool {
        guard run.chunks == 0, run.selection.reach == nil, run.selection.verification == nil else { return true }
        let isOurs = try await database.transaction(.write) { [statements, identity] in
            try $0.run(statements.announceStart(run.id, by: identity)).affectedRows == 1
        }
        guard isOurs else { return false }
        let started = GenesisStarted(
            runID: run.id,
            model: run.model,
            service: settings.publisherServiceName ?? settings.clientID,
            topic: run.topic,
            startedAt: run.createdAt,
            plannedEnd: run.spread.map { run.startsAt + $0 + settings.genesisSafetyDelay.inSeconds }
        )
        await announcer.announce(started)
        await hooks.onStarted(started)
        return true
    }

    private func split(_ run: ActiveRun, _ publication: Registry.Publication) async throws -> Bool {
        let splitter = GenesisSplitter(statements: statements)
        return try await database.transaction(.write) { [outbox] transaction in
            try transaction.run(outbox.support.seeingAllRows())
            let records = try GenesisRecords(publication, run.selection, in: &transaction)
            return try splitter.split(run.id, records, in: &transaction)
        }
    }

    /// Takes one chunk.
    /// - Returns: How many records it had, or nil if there was none to take.
    private func queue(_ run: ActiveRun, _ publication: Registry.Publication) async throws -> Int? {
        try await database.transaction(.write) { [self] transaction in
            guard let row = try transaction.run(statements.claim(run.id, due: run.due)).first else { return nil }
            try transaction.run(outbox.support.seeingAllRows())
            let records = try GenesisRecords(publication, run.selection, in: &transaction)
            let key = { (text: String) in DatabaseValue(primaryKey: text, type: records.keyType) }
            let chunk = GenesisChunk(
                runID: run.id,
                number: try row.integer(0) ?? 0,
                topic: run.topic,
                model: run.model,
                records: TableChunk(
                    runID: run.id,
                    topic: run.topic,
                    publication: publication,
                    records: records,
                    keysAfter: try row.text(1).map(key),
                    keysUntil: key(try row.text(2) ?? ""),
                    outbox: outbox,
                    context: run.context,
                    isVerification: run.selection.verification != nil
                )
            )
            let rows: GenesisRows
            if let scope = run.selection.verification {
                rows = try chunk.queue(in: &transaction)
                try VerificationMarking(outbox: outbox)
                    .mark(chunk, of: run, scope, after: row.text(1), until: row.text(2), in: &transaction)
            } else {
                let streamer = try run.selection.streamer.map(registry.genesisStreamer(named:)) ?? hooks.streamer
                rows = try streamer.stream(chunk, in: &transaction)
            }
            try transaction.run(statements.queued(run.id, chunk.number, rows))
            return rows.count
        }
    }

    private func complete(_ run: ActiveRun) async throws -> Bool {
        if let scope = run.selection.verification { return try await complete(run, scope) }
        let isOurs = try await database.transaction(.write) { [statements, identity] in
            try $0.run(statements.announceEnd(run.id, by: identity)).affectedRows == 1
        }
        guard isOurs else { return false }
        if run.selection.reach == nil {
            let performed = GenesisPerformed(
                runID: run.id,
                model: run.model,
                service: settings.publisherServiceName ?? settings.clientID,
                topic: run.topic,
                startedAt: run.createdAt,
                endedAt: run.now + settings.genesisSafetyDelay.inSeconds
            )
            await announcer.announce(performed)
            await hooks.onPerformed(performed)
        }
        _ = try await database.transaction(.write) { [statements] in
            try $0.run(statements.finish(run.id, from: [.running], as: .completed))
        }
        telemetry.logger.info("genesis run \(run.id) of \(run.model) in \(run.topic) is completed")
        return true
    }

    private func wait(_ run: ActiveRun, _ error: DionysusError) {
        let reason = DionysusError(
            .statement,
            "genesis run \(run.id) of \(run.model) in topic \(run.topic) waits: \(error.message)",
            advice: error.adviceForWaitingRows,
            underlying: error
        )
        guard refused.note(RecordGroup(run), reason.description) == .begun else { return }
        telemetry.refusedRun(reason, topic: run.topic, problem: refused.problem)
    }

    private func fail(_ run: ActiveRun, _ error: any Error) async throws {
        let text = error.summary
        telemetry.logger.error("genesis run \(run.id) of \(run.model) in \(run.topic) has failed: \(text)")
        _ = try await database.transaction(.write) { [statements] transaction in
            let more: SQL = ", error_message = \(text), paused_at = \(transaction.dialect.now)"
            return try transaction.run(statements.change(run.id, from: [.running], to: .failed, setting: more))
        }
    }

    private static func undeclared(_ run: ActiveRun) -> DionysusError {
        DionysusError(
            .declaration,
            "model \(run.model) is not published in topic \(run.topic) any more",
            advice: "declare it and resume the run, or cancel the run"
        )
    }
}
