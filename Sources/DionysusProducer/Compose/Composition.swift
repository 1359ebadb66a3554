import Dionysus
import DionysusSchemas

/// The messages of a batch while they are composed.
struct Composition {
    private let registry: Registry
    private let instructions: Composer.Instructions
    private let eventIDPrefix: [UInt8]
    private let versionHeader: MessageHeader
    private var sources: MessageSources
    private(set) var messages: [OutgoingMessage] = []

    init(_ composer: Composer, _ records: LoadedBatch, _ instructions: Composer.Instructions, capacity: Int) {
        registry = composer.registry
        self.instructions = instructions
        sources = MessageSources(composer.registry, records, prepared: instructions.records)
        eventIDPrefix = Array("\(composer.sourceID)-".utf8)
        versionHeader = MessageHeader(HeaderName.version, Array(String(instructions.version).utf8))
        messages.reserveCapacity(capacity)
    }

    /// Adds the messages of a row.
    mutating func add(_ row: OutboxRow) -> Composer.Verdict {
        if !instructions.superseded.isEmpty, instructions.superseded.contains(row.id) { return .superseded }
        if !instructions.unexpanded.isEmpty, let error = instructions.unexpanded[row.id] { return .failed(error) }
        switch sources.find(row) {
        case .loaded(let source): return add(row, source)
        case .failed(let error): return .failed(loadingFailure(row, error))
        case .refused: return .refused
        case .plain(let message): return add(row, message)
        case .undeclared: return .failed(undeclared(row))
        }
    }

    /// Adds a message that is no model's, with the bytes that were stored.
    private mutating func add(_ row: OutboxRow, _ message: StoredMessage?) -> Composer.Verdict {
        guard let message else { return .superfluous(Composer.messageGone) }
        let key = row.partitionKey.map { Array($0.utf8) } ?? message.key ?? Array(message.id.utf8)
        let trace = (row.traceContext ?? instructions.trace)?.headers ?? []
        var outgoing = OutgoingMessage(
            topic: row.topic,
            destination: .partitioned(by: key),
            key: message.key,
            value: message.value,
            headers: [MessageHeader(HeaderName.eventID, eventID(of: row))] + message.headers + trace
        )
        if let style = registry.cloudEvents[row.topic] {
            style.apply(to: &outgoing, CloudEventStyle.Facts(type: style.defaultType, time: row.createdAt ?? .now))
        }
        messages.append(outgoing)
        return .send(messages.count - 1..<messages.count, event: StoredMessage.event)
    }

    private mutating func add(_ row: OutboxRow, _ source: MessageSource) -> Composer.Verdict {
        let (model, loaded) = (source.publication.model, source.loaded)
        let state = loaded.state(of: row.resourceID)
        if state == .gone, loaded.key.isMisplaced(row.resourceID) { return .failed(misplacedKey(row, loaded.key)) }
        let staysDestroyed =
            !model.publishesUpdatesAfterSoftDelete
            && (state != .softDeleted || !loaded.isUpdatedAfterSoftDelete(row.resourceID))
        guard let change = reconciled(row.change, with: state, staysDestroyed: staysDestroyed) else {
            return .superfluous(Composer.gone)
        }
        let event = EventName(model.singular, change)
        do {
            let start = messages.count
            try append(row, source, event)
            return .send(start..<messages.count, event: event)
        } catch {
            return .failed(serializationFailure(row, error))
        }
    }

    /// Appends the row's message, and its copy for the genesis topic if there is one.
    private mutating func append(_ row: OutboxRow, _ source: MessageSource, _ event: EventName) throws {
        if source.hasFormat { return try appendFormatted(row, source, event) }
        let value = [UInt8]
            .envelope(
                event: event,
                model: source.publication.model.name,
                payload: try source.loaded.payload(of: row.resourceID, kept: KeptValues(changeset: row.changeset))
            )
        let key = row.messageKey
        let partitionKey = try partitionKey(of: row, source.publication, source.loaded)
        var message = OutgoingMessage(
            topic: row.topic,
            destination: .partitioned(by: partitionKey.map { Array($0.utf8) } ?? key),
            key: key,
            value: value,
            headers: [MessageHeader(HeaderName.eventID, eventID(of: row)), versionHeader] + verificationHeaders(of: row)
        )
        if let context = row.traceContext ?? instructions.trace { message.headers += context.headers }
        if let style = source.publication.cloudEvents {
            apply(style, to: &message, row, event, dataType: TopicEncoding.contentType(nil, isFramed: false))
        }
        messages.append(message)
        if let copyTopic = source.publication.copyTopic(of: row.topic) {
            message.topic = copyTopic
            messages.append(message)
        }
    }

    /// Appends the row's message in the topic's format, and the one for the genesis topic if there is one.
    private mutating func appendFormatted(_ row: OutboxRow, _ source: MessageSource, _ event: EventName) throws {
        let message = try formattedMessage(row, source, event, to: row.topic, source.prepared)
        guard let topic = source.publication.copyTopic(of: row.topic) else { return messages.append(message) }
        let prepared = instructions.records[RecordGroup(topic: topic, modelName: row.resourceClass)]
        // Both of them, or none.
        messages += [message, try formattedMessage(row, source, event, to: topic, prepared)]
    }

    private func formattedMessage(
        _ row: OutboxRow,
        _ source: MessageSource,
        _ event: EventName,
        to topic: String,
        _ prepared: Result<PreparedRecords, DionysusError>?
    ) throws -> OutgoingMessage {
        guard let records = try prepared?.get() else {
            throw unprepared(RecordGroup(topic: topic, modelName: row.resourceClass))
        }
        let id = eventID(of: row)
        let record = try encoded(row, source, event, records, isCopy: topic != row.topic, id)
        // Without a key, the record decides.
        let partitionKey = try partitionKey(of: row, source.publication, source.loaded).map { Array($0.utf8) }
        var message = OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: partitionKey ?? record.key ?? row.messageKey),
            key: record.key,
            value: record.value,
            headers: []
        )
        message.headers.reserveCapacity(6 + records.headers.count)
        message.headers.append(MessageHeader(HeaderName.eventID, id))
        message.headers.append(versionHeader)
        if records.envelopes == nil { message.headers.append(source.header(of: event)) }
        message.headers += records.headers
        message.headers += verificationHeaders(of: row)
        if let trace = row.traceContext ?? instructions.trace { message.headers += trace.headers }
        if let style = source.publication.cloudEvents {
            apply(style, to: &message, row, event, dataType: records.contentType, schema: records.schemaAddress)
        }
        return message
    }

    /// The row's record, or its event, in the topic's format.
    private func encoded(
        _ row: OutboxRow,
        _ source: MessageSource,
        _ event: EventName,
        _ records: PreparedRecords,
        isCopy: Bool,
        _ eventID: [UInt8]
    ) throws -> EncodedRecord {
        var context: RecordContext {
            RecordContext(eventID: eventID, recordedAt: row.createdAt ?? .now)
        }
        if let envelopes = records.envelopes {
            return try source.loaded.enveloped(
                of: row.resourceID,
                event,
                envelopes,
                records,
                isCopy: isCopy,
                context,
                kept: KeptValues(changeset: row.changeset)
            )
        }
        return try source.loaded.encoded(
            of: row.resourceID,
            records,
            isCopy: isCopy,
            isDestroyed: event.change == .destroyed,
            context,
            kept: KeptValues(changeset: row.changeset)
        )
    }

    /// Makes the message of a record a CloudEvent.
    private func apply(
        _ style: CloudEventStyle,
        to message: inout OutgoingMessage,
        _ row: OutboxRow,
        _ event: EventName,
        dataType: String,
        schema: String? = nil
    ) {
        let facts = CloudEventStyle.Facts(
            type: style.type(event.description),
            subject: "\(row.resourceClass)/\(row.resourceID)",
            time: row.createdAt ?? .now,
            dataType: dataType,
            schema: schema
        )
        style.apply(to: &message, facts, binary: instructions.keepsAttributesApart)
    }

    // MARK: Records

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

    /// The change that fits the record's state now; nil if nothing is to be published.
    ///
    /// A row that a part's change has caused can follow its record's soft deletion: as an update it would bring the
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

    // MARK: Bytes

    /// The run that a row was written by, if it is one of a verification.
    private func verificationHeaders(of row: OutboxRow) -> [MessageHeader] {
        guard let origin = row.origin, let run = VerificationScope.run(ofOrigin: origin) else { return [] }
        return [MessageHeader(HeaderName.verification, eventIDPrefix + Array(run.utf8))]
    }

    /// The same in every attempt to publish the row.
    private func eventID(of row: OutboxRow) -> [UInt8] {
        var writer = JSONWriter(capacity: eventIDPrefix.count + 20)
        writer.append(eventIDPrefix)
        writer.write(row.id)
        return writer.bytes
    }
}
