import Dionysus

/// The way of a batch's rows to the broker, as many at once as the memory budget has room for.
extension RelayPipeline {
    /// Rows of a batch that go together, and what has become of them.
    struct Slice: Sendable {
        var rows: [OutboxRow] = []
        var messages: [OutgoingMessage] = []
        var verdicts: [Composer.Verdict] = []
        var results: [Result<Acknowledgement, DionysusError>] = []
    }

    /// What has become of a batch.
    struct Sent: Sendable {
        /// One for each row.
        var verdicts: [Composer.Verdict] = []
        /// One for each message.
        var results: [Result<Acknowledgement, DionysusError>] = []
        /// The last slice: whoever observes messages has yet to be told of it.
        var last = Slice()
    }

    /// Loads, composes and sends the rows of a batch.
    ///
    /// A slice has been acknowledged before the next one is loaded, so that the order is that of the rows. When the broker
    /// is away, those that are left stay as they are.
    func send(_ batch: Batch, ofLane lane: Int) async throws -> Sent {
        let superseded = settings.removesConsecutiveDuplicates ? batch.rows.consecutiveDuplicates : []
        var held = Composer.Held()
        var sent = Sent()
        var rest = batch.rows[...]
        while !rest.isEmpty {
            let (count, bytes) = sizes.slice(of: rest, upTo: settings.memoryBudget.size / Self.slicesAtOnce)
            let part = try await settings.memoryBudget.reserve(bytes)
            defer { part.release() }
            var slice = Slice(rows: Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
            try await send(&slice, of: batch, superseded, &held, lane)
            let first = sent.results.count
            sent.verdicts += slice.verdicts.map { $0.shifted(by: first) }
            sent.results += slice.results
            guard !rest.isEmpty else {
                sent.last = slice
                break
            }
            await telemetry.respond(slice.rows, slice.messages, slice.verdicts, slice.results)
            guard !slice.results.contains(where: \.isOfBroker) else {
                sent.verdicts += rest.map { _ in .held }
                break
            }
        }
        return sent
    }

    private static let slicesAtOnce = 4

    private func send(
        _ slice: inout Slice,
        of batch: Batch,
        _ superseded: Set<Int64>,
        _ held: inout Composer.Held,
        _ lane: Int
    ) async throws {
        let records = try await load(slice.rows)
        sizes.note(records.records)
        try await noteRefusals(records, slice.rows, except: batch.refusedGroups)
        let span = telemetry.sending(slice.rows)
        (slice.messages, slice.verdicts) = compose(slice.rows, of: batch, superseded, records, &held, span)
        slice.results = try await send(slice.messages, ofLane: lane, span)
        // What has failed holds what comes after it, as if it had been known before.
        for (row, verdict) in zip(slice.rows, slice.verdicts) {
            guard case .send(let places, _) = verdict, slice.results[places].contains(where: \.isFailure) else {
                continue
            }
            held.hold(row, settings.onFailure)
        }
    }
}

extension Result<Acknowledgement, DionysusError> {
    fileprivate var isFailure: Bool { failure != nil }

    /// Whether it is the broker that fails, and not the message.
    fileprivate var isOfBroker: Bool { failure?.code == .brokerUnavailable || failure?.code == .accessDenied }
}
