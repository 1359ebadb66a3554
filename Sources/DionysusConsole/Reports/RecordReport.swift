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
    /// Where the consumer that is seen here puts messages of those topics that it can't apply.
    let deadLetters: [String]
    let source: Part<SourceRow?>?
    let preview: Part<MessagePreview?>?
    let replica: Part<[ReplicaRow]>?
    /// What the last verification of this record alone has found; nil inside if there was none.
    let verification: Part<RecordVerification?>?
    /// Whether a verification of the first topic would be heard of, as far as is known here.
    let isVerified: Bool
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
        async let verified = verification(model, id, system)

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
        let checked = await verified
        switch checked {
        case .read(let found?)?: steps.append(step(found, rows?.value?.rows ?? []))
        case .failed(let reason)?: problems.append("verifications: \(reason)")
        case .read(nil)?, nil: break
        }
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
            deadLetters: deadLetters(of: publications.map(\.topic), system),
            source: found,
            preview: composed,
            replica: kept,
            verification: checked,
            isVerified: publications.first.map { isVerified($0.topic, system) } ?? false,
            replicaTables: rows?.value?.tables ?? [],
            steps: steps.sorted { ($0.time ?? .init(microseconds: 0)) > ($1.time ?? .init(microseconds: 0)) },
            comparisons: comparisons(found?.value ?? nil, composed?.value ?? nil, kept?.value?.first, core.mask),
            problems: problems,
            relations: relations(of: model, in: system),
            version: kept?.value?.first?.version
        )
    }

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
        case .different:
            return Verdict(
                .stuck,
                "\(name) differs between both sides\(version).",
                deadLetterPath,
                "Look among dead letters"
            )
        case .onlySource where topics.isEmpty: return Verdict(.idle, "\(name) is not published on its own.")
        case .onlySource:
            let text = "\(name) is in the source, and not in the replica."
            return Verdict(.late, text, deadLetterPath, "Look among dead letters")
        case .onlyReplica: return Verdict(.stuck, "\(name) is in the replica, and no longer in the source.")
        case .nowhere: return Verdict(.idle, "Neither side has \(name).")
        case .unknown: return Verdict(.idle, "\(name), as far as it can be seen from here.")
        }
    }

    /// Its messages among the dead letters, of which no failure is recorded; nil if there are no such topics.
    private var deadLetterPath: String? { deadLetters.first.map { path(of: $0, from: "latest-1000") } }

    /// Its messages in a topic.
    func path(of topic: String, from start: String) -> String {
        Link.to("/messages", [("topic", topic), ("key", "\(model):\(id)"), ("from", start)])
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
            "verification": verification?.value.flatMap { $0 }.map(\.json) ?? .null,
            "message": preview?.value.flatMap { $0 }.map { Payload($0.value, mask).json } ?? .null,
            "relations": .array(relations.map(JSON.string)), "problems": .array(problems.map(JSON.string)),
        ])
    }
}
