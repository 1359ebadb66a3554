import Dionysus

/// Turns claimed rows and the state of their records into messages.
struct Composer: Sendable {
    /// What becomes of a row.
    enum Verdict: Sendable {
        /// Its messages are to be sent, which tell this event: those at these places of the batch.
        case send(Range<Int>, event: EventName)
        /// Nothing is to be sent, and why.
        case superfluous(String)
        /// Its record can't be serialized.
        case failed(DionysusError)
        /// The next row of its record says the same.
        case superseded
        /// An earlier row of its record has failed in this batch, or waits in another lane.
        case held
        /// No record of its model can be loaded.
        case refused

        /// The same behind other messages.
        func shifted(by count: Int) -> Verdict {
            guard case .send(let places, let event) = self else { return self }
            return .send(places.lowerBound + count..<places.upperBound + count, event: event)
        }
    }

    /// What rows must not be published, because of earlier ones.
    struct Held: Sendable {
        fileprivate var keys: Set<String> = []
        /// Records of which an earlier row waits in another lane.
        fileprivate var waiting: Set<RecordReference> = []

        /// Has rows wait behind one that has failed.
        mutating func hold(_ row: OutboxRow, _ policy: FailurePolicy) { keys.insert(Self.key(of: row, policy)) }

        fileprivate func holds(_ row: OutboxRow, _ policy: FailurePolicy) -> Bool {
            policy != .pass && !keys.isEmpty && keys.contains(Self.key(of: row, policy))
        }

        /// What waits behind a failed row has the same.
        private static func key(of row: OutboxRow, _ policy: FailurePolicy) -> String {
            policy == .holdPartitionKey
                ? row.partitionKey ?? row.record.messageKey : "\(row.topic) \(row.record.messageKey)"
        }
    }

    /// Why nothing is sent for a record that isn't there.
    static let gone = "not published: the record no longer exists"

    /// Names the outbox, so that event ids are unique over all of them.
    let sourceID: String
    let registry: Registry

    func compose(
        _ rows: [OutboxRow],
        waiting: Set<Int64>,
        superseded: Set<Int64>,
        held: inout Held,
        _ batch: LoadedBatch,
        unexpanded: [Int64: DionysusError] = [:],
        version: Int64,
        onFailure: FailurePolicy,
        trace: TraceContext? = nil
    ) -> (messages: [OutgoingMessage], verdicts: [Verdict]) {
        var messages: [OutgoingMessage] = []
        messages.reserveCapacity(rows.count)
        var verdicts: [Verdict] = []
        verdicts.reserveCapacity(rows.count)
        // Rows of one group mostly follow each other.
        var lastGroup: (group: RecordGroup, publication: Registry.Publication, loaded: LoadedRecords)?
        let prefix = Array("\(sourceID)-".utf8)
        let versionHeader = MessageHeader(HeaderName.version, Array(String(version).utf8))

        for row in rows {
            if !waiting.isEmpty, waiting.contains(row.id) { held.waiting.insert(row.record) }
            if !held.waiting.isEmpty, held.waiting.contains(row.record) {
                verdicts.append(.held)
                continue
            }
            if held.holds(row, onFailure) {
                verdicts.append(.held)
                continue
            }
            if !superseded.isEmpty, superseded.contains(row.id) {
                verdicts.append(.superseded)
                continue
            }
            if !unexpanded.isEmpty, let error = unexpanded[row.id] {
                verdicts.append(.failed(error))
                held.hold(row, onFailure)
                continue
            }
            let group = RecordGroup(row)
            if group != lastGroup?.group { lastGroup = self.group(group, batch.records) }
            if lastGroup == nil, batch.refused[group] != nil {
                verdicts.append(.refused)
                held.hold(row, onFailure)
                continue
            }
            let publication: Registry.Publication
            let loaded: LoadedRecords
            do {
                guard let found = try lastGroup ?? part(group, batch, row) else {
                    verdicts.append(.failed(unknown(row)))
                    held.hold(row, onFailure)
                    continue
                }
                (publication, loaded) = (found.publication, found.loaded)
            } catch {
                verdicts.append(.failed(loadingFailure(row, error)))
                held.hold(row, onFailure)
                continue
            }
            let state = loaded.state(of: row.resourceID)
            let staysDestroyed =
                !publication.model.publishesUpdatesAfterSoftDelete
                && (state != .softDeleted || !loaded.isUpdatedAfterSoftDelete(row.resourceID))
            if state == .gone, loaded.key.isMisplaced(row.resourceID) {
                verdicts.append(.failed(misplacedKey(row, loaded.key)))
                held.hold(row, onFailure)
                continue
            }
            guard let change = reconciled(row.change, with: state, staysDestroyed: staysDestroyed) else {
                verdicts.append(.superfluous(Self.gone))
                continue
            }
            do {
                let event = EventName(publication.model.singular, change)
                let value = envelope(
                    event: event,
                    model: publication.model.name,
                    payload: try loaded.payload(of: row.resourceID, kept: KeptValues(changeset: row.changeset))
                )
                let id = eventID(prefix, row)
                let start = messages.count
                let key = row.messageKey
                let partitionKey = try partitionKey(of: row, publication, loaded)
                var message = OutgoingMessage(
                    topic: row.topic,
                    destination: .partitioned(by: partitionKey.map { Array($0.utf8) } ?? key),
                    key: key,
                    value: value,
                    headers: [MessageHeader(HeaderName.eventID, id), versionHeader]
                )
                if let context = row.traceContext ?? trace { message.headers += context.headers }
                messages.append(message)
                if let genesisTopic = publication.genesisTopic, row.topic != genesisTopic {
                    message.topic = genesisTopic
                    messages.append(message)
                }
                verdicts.append(.send(start..<messages.count, event: event))
            } catch {
                verdicts.append(.failed(serializationFailure(row, error)))
                held.hold(row, onFailure)
            }
        }
        return (messages, verdicts)
    }

    private func group(
        _ group: RecordGroup,
        _ records: [RecordGroup: LoadedRecords]
    ) -> (group: RecordGroup, publication: Registry.Publication, loaded: LoadedRecords)? {
        guard let publication = registry.publication(topic: group.topic, modelName: group.modelName),
            let loaded = records[group]
        else { return nil }
        return (group, publication, loaded)
    }

    /// A record of a group that was loaded in parts.
    private func part(
        _ group: RecordGroup,
        _ batch: LoadedBatch,
        _ row: OutboxRow
    ) throws -> (group: RecordGroup, publication: Registry.Publication, loaded: LoadedRecords)? {
        guard let publication = registry.publication(topic: group.topic, modelName: group.modelName),
            let outcome = batch.apart[group]?[row.resourceID]
        else { return nil }
        switch outcome {
        case .loaded(let records): return (group, publication, records)
        case .failed(let error): throw error
        }
    }

    /// What spreads the row's message: what capture has written, unless only the application can tell.
    private func partitionKey(
        of row: OutboxRow,
        _ publication: Registry.Publication,
        _ loaded: LoadedRecords
    ) throws -> String? {
        guard case .computed(let key) = publication.partitionKey else { return row.partitionKey }
        let kept = { loaded.record(KeptValues(changeset: row.changeset), reading: key.columns) }
        return try (loaded.record(row.resourceID) ?? kept()).flatMap(key.compute)
    }

    /// The same in every attempt to publish the row.
    func eventID(of row: OutboxRow) -> String { "\(sourceID)-\(row.id)" }

    private func eventID(_ prefix: [UInt8], _ row: OutboxRow) -> [UInt8] {
        var writer = JSONWriter(capacity: prefix.count + 20)
        writer.append(prefix)
        writer.write(row.id)
        return writer.bytes
    }

    /// The change that fits the record's state now; nil if there is nothing to say.
    ///
    /// A row that comes of a part's change can follow its record's soft deletion: told as an update it would bring the
    /// record back wherever replicas are deleted.
    private func reconciled(
        _ change: EventName.Change?,
        with state: LoadedRecords.State,
        staysDestroyed: Bool
    ) -> EventName.Change? {
        switch (change, state) {
        case (.destroyed, .gone), (.destroyed, .softDeleted): .destroyed
        case (.updated, .softDeleted) where staysDestroyed: .destroyed
        case (.destroyed, .visible): .updated
        case (_, .gone): nil
        case (let change, _): change ?? .updated
        }
    }

    private func envelope(event: EventName, model: String, payload: [UInt8]) -> [UInt8] {
        var writer = JSONWriter(capacity: payload.count + 96)
        writer.literal(#"{"message":[{"event":"#)
        writer.write(event.description)
        writer.literal(#","model_name":"#)
        writer.write(model)
        writer.literal(#","data":["#)
        writer.append(payload)
        writer.literal("]}]}")
        return writer.bytes
    }

    private func unknown(_ row: OutboxRow) -> DionysusError {
        DionysusError(
            .declaration,
            "row \(row.id) of the outbox is for model \(row.resourceClass) in topic \(row.topic), which is not declared",
            advice: "declare it and retry the row, or discard the row"
        )
    }

    private func loadingFailure(_ row: OutboxRow, _ error: any Error) -> DionysusError {
        DionysusError(
            .statement,
            "\(row.record.messageKey) can't be loaded for topic \(row.topic): \(Self.summary(of: error))",
            underlying: error
        )
    }

    private func misplacedKey(_ row: OutboxRow, _ key: RecordKey) -> DionysusError {
        DionysusError(
            .typeMismatch,
            "row \(row.id) of the outbox is for a record of \(row.resourceClass) whose primary key is stored as something "
                + "else than \(key.name)",
            advice: "store the key as \(key.name) and publish the record again, or discard the row if it is gone"
        )
    }

    private func serializationFailure(_ row: OutboxRow, _ error: any Error) -> DionysusError {
        DionysusError(
            .application,
            "\(row.record.messageKey) can't be serialized for topic \(row.topic): \(Self.summary(of: error))",
            underlying: error
        )
    }

    /// What an error says of itself; of one that isn't ours only its type, for it may show values.
    private static func summary(of error: any Error) -> String {
        (error as? DionysusError)?.description ?? "\(type(of: error))"
    }
}
