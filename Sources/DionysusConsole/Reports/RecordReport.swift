import Dionysus
import DionysusConsumer
import DionysusProducer

/// A record's whole way: its row, what was captured of it, what became of that, and what the replica has.
struct RecordReport: Sendable {
    /// A step on the way.
    struct Step: Sendable {
        let time: Timestamp?
        let title: String
        let detail: String
        /// Where it comes from, in a few words.
        let place: String
        /// Where more is to be seen, without the base path.
        let path: String?
        let state: Elements.State
    }

    /// A value on both sides.
    struct Comparison: Sendable {
        let name: String
        let source: String?
        let replica: String?
        /// Whether both are the same; nil where one side has none of it.
        let isSame: Bool?
        /// Whether it is a column that no message has.
        var isReplicasOwn = false
    }

    /// How both sides stand to each other.
    enum Agreement: String, Sendable {
        case same
        case different
        case onlySource = "only_source"
        case onlyReplica = "only_replica"
        case nowhere
        case unknown
    }

    let model: String
    let id: String
    /// The topics that publish the model on its own.
    let topics: [String]
    let source: Part<SourceRow?>?
    let preview: Part<MessagePreview?>?
    let replica: Part<[ReplicaRow]>?
    /// What is looked at in the replica.
    let replicaTables: [String]
    let steps: [Step]
    let comparisons: [Comparison]
    /// Why parts of the way aren't known.
    let problems: [String]
    /// What the model is part of, observed by, and observes.
    let relations: [String]
    let version: Int64?

    /// How many of the outbox's newest rows are looked at.
    static let lookedAt = 20_000

    static func read(_ model: String, _ id: String, _ core: ConsoleCore) async -> RecordReport {
        let system = core.system
        let publications = system.publications.filter { $0.model.model == model }
        var problems: [String] = []

        async let source = source(model, id, system)
        async let preview = preview(model, id, publications.first?.topic, system)
        async let replicaRows = replica(model, id, system)
        async let outboxRows = outbox(model, id, system)
        async let handled = events(model, id, system)
        async let failed = failures(model, id, core)

        var steps: [Step] = []
        switch await outboxRows {
        case .read(let rows)?: steps += rows.map(step)
        case .failed(let reason)?: problems.append("the outbox: \(reason)")
        case nil: break
        }
        switch await handled {
        case .read(let events)?: steps += events.map(step)
        case .failed(let reason)?: problems.append("the event log: \(reason)")
        case nil: break
        }
        switch await failed {
        case .read(let failures)?: steps += failures.map(step)
        case .failed(let reason)?: problems.append("failures: \(reason)")
        case nil: break
        }
        let rows = await replicaRows
        steps += (rows?.value?.rows ?? []).map(step)
        let (found, composed) = (await source, await preview)
        let kept = rows.map { part -> Part<[ReplicaRow]> in
            switch part {
            case .read(let read): .read(read.rows)
            case .failed(let reason): .failed(reason)
            }
        }
        if case .failed(let reason)? = composed { problems.append("the message can't be composed: \(reason)") }
        return RecordReport(
            model: model,
            id: id,
            topics: publications.map(\.topic),
            source: found,
            preview: composed,
            replica: kept,
            replicaTables: rows?.value?.tables ?? [],
            steps: steps.sorted { ($0.time ?? .init(microseconds: 0)) > ($1.time ?? .init(microseconds: 0)) },
            comparisons: comparisons(found?.value ?? nil, composed?.value ?? nil, kept?.value?.first, core.mask),
            problems: problems,
            relations: relations(of: model, in: system),
            version: kept?.value?.first?.version
        )
    }

    // MARK: Reading

    private static func source(_ model: String, _ id: String, _ system: ObservedSystem) async -> Part<SourceRow?>? {
        guard let side = system.producer else { return nil }
        return await .reading { try await side.registry.sourceRow(of: model, id: id, in: side.database) }
    }

    private static func preview(
        _ model: String,
        _ id: String,
        _ topic: String?,
        _ system: ObservedSystem
    ) async -> Part<MessagePreview?>? {
        guard let side = system.producer, let topic else { return nil }
        return await .reading {
            try await MessagePreview.of(
                model,
                id: id,
                in: topic,
                side.registry,
                database: side.database,
                settings: side.settings
            )
        }
    }

    private static func replica(
        _ model: String,
        _ id: String,
        _ system: ObservedSystem
    ) async -> Part<(rows: [ReplicaRow], tables: [String])>? {
        guard let side = system.consumer else { return nil }
        return await .reading {
            try await ReplicaRecords(side.consumer, database: side.database, settings: side.settings)
                .rows(of: model, id: id)
        }
    }

    private static func outbox(_ model: String, _ id: String, _ system: ObservedSystem) async -> Part<[OutboxEntry]>? {
        guard let side = system.producer else { return nil }
        return await .reading {
            try await OutboxInspector(database: side.database).rows(of: model, id: id, lookingAt: lookedAt)
        }
    }

    private static func events(_ model: String, _ id: String, _ system: ObservedSystem) async -> Part<[LoggedEvent]>? {
        guard let side = system.consumer, side.outline.topics.contains(where: { $0.options.contains("event log") })
        else { return nil }
        return await .reading {
            try await side.database.recentEvents(
                of: side.settings.effectiveGroupID,
                EventLogFilter(modelName: model, entityID: id, limit: 100)
            )
        }
    }

    private static func failures(_ model: String, _ id: String, _ core: ConsoleCore) async -> Part<[RecordedFailure]>? {
        guard let list = core.failureList, let side = core.system.consumer else { return nil }
        let topics = side.outline.topics.filter { !$0.isPattern }.map(\.name)
        return await .reading {
            var found: [RecordedFailure] = []
            for topic in topics {
                found += try await list.list(FailureFilter(topic: topic, key: "\(model):\(id)", limit: 50))
            }
            return found
        }
    }

    // MARK: Steps

    private static func step(_ row: OutboxEntry) -> Step {
        let changed = row.changedColumns.isEmpty ? "" : ": \(row.changedColumns.joined(separator: ", "))"
        let origin = row.origin.map { " · by \($0)" } ?? ""
        let error = row.errorMessage.map { " · \($0)" } ?? ""
        let (title, state): (String, Elements.State) =
            switch row.state {
            case .pending: ("recorded, waits to be published", .late)
            case .retrying: ("failed, is tried again", .late)
            case .parked: ("failed for the last time", .stuck)
            case .published: (row.errorMessage == nil ? "published" : "settled without a message", .well)
            }
        let isObserved = row.topic.hasPrefix("__")
        return Step(
            time: row.publishedAt ?? row.failedAt ?? row.createdAt,
            title: isObserved ? "changed what others are computed from" : "\(row.eventName) \(title)",
            detail: "recorded at \(row.createdAt.map { Format.time($0) } ?? "–")\(changed)\(origin)\(error)",
            place: isObserved ? "outbox \(row.id)" : "outbox \(row.id) → \(row.topic)",
            path: "/outbox/\(row.id)",
            state: state
        )
    }

    private static func step(_ event: LoggedEvent) -> Step {
        Step(
            time: event.handledAt,
            title: "\(event.type) handled",
            detail: "version \(event.version.map(String.init) ?? "–") · \(event.attempts) attempts",
            place: "\(event.source) @ \(Format.number(event.offset))",
            path: Link.messages(event.source.topic, partition: event.source.partition, offset: event.offset),
            state: .well
        )
    }

    private static func step(_ row: ReplicaRow) -> Step {
        Step(
            time: row.writtenAt.flatMap(moment),
            title: row.isSoftDeleted ? "kept in the replica as destroyed" : "in the replica",
            detail: row.version.map { "as of version \($0)" } ?? "",
            place: "table \(row.table)",
            path: nil,
            state: .well
        )
    }

    private static func step(_ failure: RecordedFailure) -> Step {
        Step(
            time: failure.retriedAt ?? failure.createdAt,
            title: failure.state == .waiting ? "waits behind a failure of its key" : "could not be applied",
            detail: failure.errorMessage,
            place: "\(failure.source) @ \(Format.number(failure.offset))",
            path: "/failures/\(failure.id)",
            state: .stuck
        )
    }

    // MARK: Comparing

    private static func comparisons(
        _ source: SourceRow?,
        _ preview: MessagePreview?,
        _ replica: ReplicaRow?,
        _ mask: Mask
    ) -> [Comparison] {
        var used: Set<String> = []
        var result: [Comparison] = []
        let published = preview.flatMap { Self.members(of: $0) }
        let names = published?.members.map(\.name) ?? source?.values.map(\.column) ?? []
        for name in names {
            let value = published?[name]
            if case .object? = value { continue }
            let text = value.map(Self.text) ?? source?.values.first { $0.column == name }?.text
            let column = replica?.values.first { $0.attributes.contains(name) }
            if let column { used.insert(column.column) }
            let aliases: [String] = column.map { [name, $0.column] + $0.attributes } ?? [name]
            result.append(
                Comparison(
                    name: name,
                    source: mask.applied(to: text, of: aliases),
                    replica: mask.applied(to: column?.text, of: aliases),
                    isSame: column.map { Self.isSame(text, $0.text) }
                )
            )
        }
        for value in replica?.values ?? [] where !used.contains(value.column) {
            let aliases: [String] = [value.column] + value.attributes
            result.append(
                Comparison(
                    name: value.column,
                    source: nil,
                    replica: mask.members.isEmpty || !value.column.hasSuffix("data")
                        ? mask.applied(to: value.text, of: aliases) : Mask.hidden,
                    isSame: nil,
                    isReplicasOwn: true
                )
            )
        }
        return result
    }

    /// The attributes of the record in a message of its own.
    private static func members(of preview: MessagePreview) -> JSON.Object? {
        guard let document = try? JSON(parsing: preview.value), case .array(let events)? = document["message"],
            case .array(let records)? = events.first?["data"], case .object(let object)? = records.first
        else {
            guard case .object(let object)? = try? JSON(parsing: preview.value) else { return nil }
            return object["message"] == nil ? object : nil
        }
        return object
    }

    private static func text(_ json: JSON) -> String? {
        switch json {
        case .null: nil
        case .string(let text): text
        default: json.text
        }
    }

    /// Whether texts mean the same, however each side writes times, numbers and truth.
    static func isSame(_ left: String?, _ right: String?) -> Bool {
        guard let left, let right else { return left == right }
        if left == right { return true }
        if let first = moment(left), let second = moment(right) { return first == second }
        if let first = Double(left), let second = Double(right) { return first == second }
        let truth = ["true": "1", "t": "1", "false": "0", "f": "0"]
        if (truth[left] ?? left) == (truth[right] ?? right) { return true }
        if let first = try? JSON(parsing: Array(left.utf8)), let second = try? JSON(parsing: Array(right.utf8)) {
            return first == second
        }
        return false
    }

    private static func moment(_ text: String) -> Timestamp? {
        guard text.utf8.count > 10 else { return nil }
        if let time = Timestamp(text) { return time }
        let parts = text.replacing(" ", with: "T")
        if let time = Timestamp(parts) ?? Timestamp(parts + "Z") { return time }
        // PostgreSQL leaves out the minutes of a zone.
        return Timestamp(parts + ":00")
    }

    /// What else publishes the record, or comes along in its messages, a line each.
    private static func relations(of model: String, in system: ObservedSystem) -> [String] {
        var lines: [String] = []
        func contains(_ parts: [PublishedModelOutline.Part]) -> Bool {
            parts.contains { $0.model == model || contains($0.parts) }
        }
        for publication in system.publications {
            if contains(publication.model.parts) {
                lines.append("is published with \(publication.model.model) in \(publication.topic)")
            }
            for observation in publication.model.observations where observation.model == model {
                lines.append(
                    "publishes \(publication.model.model) in \(publication.topic) when "
                        + "\(observation.attributes.joined(separator: ", ")) changes"
                )
            }
            guard publication.model.model == model else { continue }
            for part in publication.model.parts { lines.append("comes with its \(part.model)") }
            for observation in publication.model.observations {
                lines.append(
                    "is published when \(observation.model) \(observation.attributes.joined(separator: ", ")) changes"
                )
            }
        }
        return lines
    }

    // MARK: The answer

    var agreement: Agreement {
        if case .failed? = source { return .unknown }
        if case .failed? = replica { return .unknown }
        guard let replica, let source else { return .unknown }
        let hasSource = source.value.map { $0 != nil } ?? false
        let rows = replica.value ?? []
        let hasReplica = rows.contains { !$0.isSoftDeleted }
        if hasSource, hasReplica { return comparisons.contains { $0.isSame == false } ? .different : .same }
        if hasSource {
            // A record that is soft-deleted is gone on the other side.
            if !rows.isEmpty { return comparisons.contains { $0.isSame == false } ? .different : .same }
            return .onlySource
        }
        return hasReplica ? .onlyReplica : .nowhere
    }

    var verdict: Verdict {
        let name = "\(model) \(id)"
        let version = version.map { " (version \($0))" } ?? ""
        if let failure = steps.first(where: { $0.state == .stuck }) {
            return Verdict(.stuck, "\(name): \(failure.title). \(failure.detail)", failure.path, "Look at it")
        }
        if let waiting = steps.first(where: { $0.state == .late }) {
            return Verdict(.late, "\(name): \(waiting.title).", waiting.path, "Look at it")
        }
        switch agreement {
        case .same: return Verdict(.well, "\(name) is the same on both sides\(version).")
        case .different: return Verdict(.stuck, "\(name) differs between both sides\(version).")
        case .onlySource where topics.isEmpty: return Verdict(.idle, "\(name) is not published on its own.")
        case .onlySource: return Verdict(.late, "\(name) is in the source, and not in the replica.")
        case .onlyReplica: return Verdict(.stuck, "\(name) is in the replica, and no longer in the source.")
        case .nowhere: return Verdict(.idle, "Neither side has \(name).")
        case .unknown: return Verdict(.idle, "\(name), as far as it can be seen from here.")
        }
    }

    func json(_ mask: Mask) -> JSON {
        .object([
            "model": .string(model), "id": .string(id), "agreement": .string(agreement.rawValue),
            "verdict": .string(verdict.text), "version": .init(version), "topics": .array(topics.map(JSON.string)),
            "values": .array(
                comparisons.map { comparison in
                    .object([
                        "name": .string(comparison.name), "source": .init(comparison.source),
                        "replica": .init(comparison.replica),
                        "same": comparison.isSame.map(JSON.bool) ?? .null,
                    ])
                }
            ),
            "steps": .array(
                steps.map { step in
                    .object([
                        "time": .init(step.time), "title": .string(step.title), "detail": .string(step.detail),
                        "place": .string(step.place), "state": .string(step.state.rawValue),
                    ])
                }
            ),
            "message": preview?.value.flatMap { $0 }.map { Payload($0.value, mask).json } ?? .null,
            "relations": .array(relations.map(JSON.string)), "problems": .array(problems.map(JSON.string)),
        ])
    }
}
