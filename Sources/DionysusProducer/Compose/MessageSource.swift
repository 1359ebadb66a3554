import Dionysus

/// What the messages of a row are made from.
struct MessageSource {
    let publication: Registry.Publication
    let loaded: LoadedRecords
    /// Whether its messages have another format than dionysus-rb's envelopes.
    let hasFormat: Bool
    /// How the topic's messages are written, or why they can't be; nil for dionysus-rb's envelopes.
    let prepared: Result<PreparedRecords, DionysusError>?
    /// The headers that name the events of records.
    private let eventHeaders: [EventName.Change: MessageHeader]

    init(
        _ publication: Registry.Publication,
        _ loaded: LoadedRecords,
        _ prepared: Result<PreparedRecords, DionysusError>?
    ) {
        self.publication = publication
        self.loaded = loaded
        self.prepared = prepared
        hasFormat = publication.encoding.format != nil
        let changes = hasFormat ? EventName.Change.allCases : []
        eventHeaders = Dictionary(
            uniqueKeysWithValues: changes.map { ($0, Self.header(of: EventName(publication.model.singular, $0))) }
        )
    }

    func header(of event: EventName) -> MessageHeader { eventHeaders[event.change] ?? Self.header(of: event) }

    private static func header(of event: EventName) -> MessageHeader {
        MessageHeader(HeaderName.event, Array(event.description.utf8))
    }
}

/// Finds what the messages of a batch's rows are made from.
struct MessageSources {
    enum Finding {
        case loaded(MessageSource)
        case failed(DionysusError)
        case refused
        /// A message that is no model's, if it is still there.
        case plain(StoredMessage?)
        case undeclared
    }

    private let registry: Registry
    private let records: LoadedBatch
    /// How the records of topics are written that have a format, or why they can't be.
    private let prepared: [RecordGroup: Result<PreparedRecords, DionysusError>]
    /// The last group that was loaded whole: rows of one group mostly follow each other.
    private var last: (group: RecordGroup, source: MessageSource)?

    init(
        _ registry: Registry,
        _ records: LoadedBatch,
        prepared: [RecordGroup: Result<PreparedRecords, DionysusError>]
    ) {
        self.registry = registry
        self.records = records
        self.prepared = prepared
    }

    mutating func find(_ row: OutboxRow) -> Finding {
        let group = RecordGroup(row)
        if let last, last.group == group { return .loaded(last.source) }
        let publication = registry.publication(topic: group.topic, modelName: group.modelName)
        if let publication, let loaded = records.records[group] {
            let source = MessageSource(publication, loaded, prepared[group])
            last = (group, source)
            return .loaded(source)
        }
        if let stored = records.messages, group.isOfPlainMessages {
            return .plain(row.plainMessageID.flatMap { stored[$0] })
        }
        if records.refused[group] != nil { return .refused }
        guard let publication, let part = records.apart[group]?[row.resourceID] else { return .undeclared }
        switch part {
        case .loaded(let loaded): return .loaded(MessageSource(publication, loaded, prepared[group]))
        case .failed(let error): return .failed(error)
        }
    }
}
