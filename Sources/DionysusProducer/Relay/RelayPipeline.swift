import Dionysus

/// The way of a batch from the outbox to the broker.
struct RelayPipeline: Sendable {
    /// How a batch ended.
    enum Outcome: Sendable {
        /// Another relay holds the lane.
        case contended
        /// There was nothing to do.
        case empty
        /// Rows were settled, and there were no more.
        case settled
        /// Rows were settled; there are probably more.
        case full
        /// The broker did not take the messages, or not all of them.
        case brokerUnavailable(DionysusError, hasProgressed: Bool)
    }

    let context: RelayContext
    let outbox: Outbox
    let expander: Expander
    let loader: SnapshotLoader
    let composer: Composer
    let encodings: RecordEncodings
    let sender: MessageSender
    let refusals: Refusals
    let housekeeping = LaneHousekeeping()
    let sizes = RecordSizes()
    let missing = MissingRecords()
    /// The keys of models whose records the outbox may know under several spellings.
    let keys: [String: RecordKey]
    /// Whether a record's rows may be in several lanes without its having been recorded that it moved.
    let followsDestructions: Bool
    /// Called with the lanes of rows that expansion has written.
    let onExpanded: @Sendable ([Int]) -> Void
    /// Called with the lanes that had something to publish when a lane was settled; nil not to look.
    let onPending: (@Sendable ([Int]) -> Void)?

    var database: any CapturingDatabase { context.database }
    var settings: ProducerSettings { context.settings }
    var telemetry: RelayTelemetry { context.telemetry }

    /// Publishes the next rows of a lane.
    ///
    /// This is the relay.
    /// - Parameters:
    ///   - claim: The lane's next rows, if it is held; otherwise it is taken.
    ///   - mayKeep: Whether the lane may be kept for its next rows.
    /// - Returns: How it ended, and the lane's next rows if it is kept.
    func publishBatch(
        ofLane lane: Int,
        _ claim: LaneClaim? = nil,
        mayKeep: () -> Bool = { false }
    ) async throws -> (outcome: Outcome, next: LaneClaim?) {
        guard let claim = if let claim { claim } else { try await take(lane) } else { return (.contended, nil) }
        var rows: [OutboxRow] = []
        var sent = SentRows()
        do {
            var batch = try await batch(of: claim)
            try await telemetry.stage(.expand) { try await expand(&batch) }
            guard batch.hasWork else { return (try await giveBack(claim, batch), nil) }
            rows = batch.rows
            try await publishSlices(of: batch, &sent)
            let acknowledgedAt = Timestamp.now
            let settlement = Settlement(batch.rows, sent, failed: batch.failedReplacements, settings)
            try await refusals.note(settlement)
            let settled = try await telemetry.stage(.settle) {
                try await settle(settlement, of: batch, claim.lease, mayKeep: mayKeep)
            }
            await context.announcer.announce(sent.last)
            report(settlement, acknowledgedAt: acknowledgedAt)
            return (outcome(of: settlement, hasMore: settled.hasMore), settled.next)
        } catch {
            let isLost = sent.verdicts.isEmpty ? false : await hasLost(claim)
            await claim.lease.abandon()
            if isLost { await refresh(sent.rows(of: rows), because: error) }
            throw error
        }
    }

    /// Loads, composes and sends the rows of a batch, as many at once as the memory budget has room for.
    ///
    /// A slice has been acknowledged before the next one is loaded, so that messages keep the order of the rows. When the
    /// broker is away, the rows that are left stay as they are.
    private func publishSlices(of batch: RelayBatch, _ sent: inout SentRows) async throws {
        let duplicates = settings.removesConsecutiveDuplicates ? batch.rows.consecutiveDuplicates : []
        let superseded = duplicates.union(batch.rows.outdatedMessages(in: context.registry.compactedTopics))
        var instructions = Composer.Instructions(
            version: batch.version,
            superseded: superseded,
            unexpanded: batch.unexpanded
        )
        var held = Composer.Held()
        var rest = batch.rows[...]
        var most = rest.count
        var unwritable: [RecordGroup: DionysusError] = [:]
        while !rest.isEmpty {
            var (slice, records, memory) = try await loadSlice(of: rest, atMost: &most)
            defer { memory.release() }
            rest = rest.dropFirst(slice.rows.count)
            if !encodings.isEmpty {
                do {
                    instructions.records = try await prepareEncodings(of: slice.rows, &records, &unwritable)
                } catch is RegistryRefusal where !sent.verdicts.isEmpty {
                    // What has been sent is settled first; the next batch is refused again.
                    sent.verdicts += (slice.rows + rest).map { _ in Composer.Verdict.held }
                    break
                }
            }
            try await refusals.note(records, slice.rows, except: batch.refusedGroups)
            let span = telemetry.sending(slice.rows)
            instructions.trace = span?.traceContext
            (slice.messages, slice.verdicts) = await telemetry.stage(.serialize) {
                composer.compose(slice.rows, records, instructions, &held)
            }
            slice.results = try await telemetry.stage(.send) { try await send(slice.messages, of: batch, span) }
            held.hold(failuresOf: slice, settings.onFailure)
            sent.append(slice)
            guard !rest.isEmpty else { break }
            await context.announcer.announce(slice)
            sent.last = MessageSlice()
            guard !slice.results.contains(where: \.isOfBroker) else {
                sent.verdicts += rest.map { _ in .held }
                break
            }
        }
    }

    /// Finds out how records are written; those whose schema can't be asked for have to wait.
    /// - Parameter unwritable: Those of the batch that have to wait, and why: they aren't asked for again.
    private func prepareEncodings(
        of rows: [OutboxRow],
        _ records: inout LoadedBatch,
        _ unwritable: inout [RecordGroup: DionysusError]
    ) async throws -> [RecordGroup: Result<PreparedRecords, DionysusError>] {
        let wanted = groups(of: rows)
        let prepared = try await encodings.prepare(wanted.subtracting(unwritable.keys))
        unwritable.merge(prepared.waiting) { $1 }
        for (group, error) in unwritable where wanted.contains(group) {
            let waiting = context.registry.groups(writtenWith: group)
            for group in waiting { records.refuse(group, error) }
        }
        return prepared.records
    }

    /// The groups that rows' messages go to, genesis topics among them.
    private func groups(of rows: [OutboxRow]) -> Set<RecordGroup> {
        var groups: Set<RecordGroup> = []
        for group in Set(rows.map(RecordGroup.init)) {
            groups.insert(group)
            let copyTopic = context.registry.publication(topic: group.topic, modelName: group.modelName)?
                .copyTopic(of: group.topic)
            if let copyTopic { groups.insert(RecordGroup(topic: copyTopic, modelName: group.modelName)) }
        }
        return groups
    }
}
