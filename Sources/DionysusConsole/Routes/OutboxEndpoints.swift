import Dionysus
import DionysusProducer

extension Endpoint {
    private static let filters: [Parameter] = [
        .choice(
            "state",
            ["pending", "retrying", "failed", "parked"],
            "in what state rows are; all that aren't published by default"
        ),
        .text("topic", "the full name of their topic"), .text("model", "the name of their model"),
        .text("record", "the primary key of their record"), .text("error", "the kind of their last error"),
    ]

    static let outbox: [Endpoint] =
        [
            page("/outbox", "What waits to be published", isLive: true) { call in
                let side = try call.producer()
                let report = await OutboxReport.read(
                    call.core,
                    side,
                    try filter(call.query, limit: OutboxReport.pageSize)
                )
                return .page(.outbox(report, call.frame, call))
            },
            read(
                "/outbox",
                "What waits to be published: counts by topic and lane, and rows",
                query: filters + [.after, .limit],
                answer: [
                    ("summary", "counts, each with more if counting stopped"), ("rows", "the rows that match"),
                    ("next", "what to give as after for the next page"),
                    ("looked_at_all", "whether every row that waits was looked at"),
                ]
            ) { call in
                let side = try call.producer()
                return .json(
                    await OutboxReport.read(call.core, side, try filter(call.query, limit: try call.limit())).json
                )
            },
            page("/outbox/{id}", "A row of the outbox") { call in
                let (side, id) = (try call.producer(), try call.id())
                guard let entry = try await OutboxInspector(database: side.database).entry(id) else {
                    throw DionysusError(.notFound, "the outbox has no row \(id)")
                }
                async let preview = preview(of: entry, side)
                let behind = await Part.reading {
                    var filter = OutboxFilter(modelName: entry.modelName, limit: 20)
                    (filter.recordID, filter.topic) = (entry.recordID, entry.topic)
                    return try await OutboxInspector(database: side.database).first(filter, lookingAt: 2_000).entries
                }
                return .page(.outboxRow(entry, await preview, behind.value ?? [], call.frame, call))
            },
            read("/outbox/{id}", "A row of the outbox, and what it would publish now") { call in
                let (side, id) = (try call.producer(), try call.id())
                guard let entry = try await OutboxInspector(database: side.database).entry(id),
                    case .object(var object) = entry.json
                else { throw DionysusError(.notFound, "the outbox has no row \(id)") }
                switch await preview(of: entry, side) {
                case .read(let message?)?: object["message"] = Payload(message.value, call.core.mask).json
                case .failed(let reason)?: object["message_problem"] = .string(reason)
                default: object["message"] = .null
                }
                return .json(.object(object))
            },
        ] + targets.endpoints("Retries or discards rows")

    private static let targets = BulkTargets<OutboxAction, ObservedSystem.ProducerSide>(
        tab: .outbox,
        noun: "row",
        nouns: "rows",
        everything: "all that failed",
        filters: filters,
        side: { try $0.producer() },
        matching: { try await matching($0, $1) },
        plan: { action, ids, target, side, call, path in
            action.plan(ids, target, side, actor: call.identity.name, return: path)
        },
        audit: \.sourceAudit
    )

    private static func filter(_ values: Values, limit: Int) throws -> OutboxFilter {
        var filter = OutboxFilter(topic: values["topic"], modelName: values["model"], limit: limit)
        switch values["state"] {
        case nil: break
        case "pending": filter.scope = .pending
        case "retrying": filter.scope = .retrying
        case "failed": filter.scope = .failed
        case "parked": filter.scope = .parked
        default: throw DionysusError(.malformed, "state must be one of pending, retrying, failed, parked")
        }
        filter.recordID = values["record"]
        filter.errorClass = values["error"]
        filter.after = try values.integer("after")
        return filter
    }

    /// The ids of those that match and have failed, which are those that anything can be done with.
    private static func matching(_ values: Values, _ side: ObservedSystem.ProducerSide) async throws -> ([Int64], Bool)
    {
        var filter = try filter(values, limit: 10_000)
        if filter.scope == .unpublished || filter.scope == .pending { filter.scope = .failed }
        filter.after = nil
        let found = try await OutboxInspector(database: side.database).first(filter)
        return (found.entries.map(\.id), found.isBounded)
    }

    private static func preview(of entry: OutboxEntry, _ side: ObservedSystem.ProducerSide) async -> Part<
        MessagePreview?
    >? {
        guard !entry.topic.hasPrefix("__") else { return nil }
        return await .reading {
            try await MessagePreview.of(
                entry.modelName,
                id: entry.recordID,
                in: entry.topic,
                side.registry,
                database: side.database,
                settings: side.settings
            )
        }
    }
}
