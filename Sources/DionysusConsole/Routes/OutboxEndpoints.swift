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
            form("/outbox/actions", "Retries or discards rows") { call in
                let side = try call.producer()
                let isAll = call.body["all"] != nil
                guard let action = try call.body.choice(isAll ? "all" : "action", of: OutboxAction.self) else {
                    throw DionysusError(.malformed, "action is missing")
                }
                let own = ["csrf", "confirm", "action", "id", "upto", "expected"]
                let fields = call.body.pairs.filter { !own.contains($0.name) }
                let back = Link.to("/outbox", fields.filter { $0.name != "all" }.map { ($0.name, $0.value) })
                let (ids, isBounded) = isAll ? try await matching(call.body, side) : (try call.ids(), false)
                guard !ids.isEmpty else { throw DionysusError(.malformed, "no row is selected") }
                let isAsked = isAll || ids.count > 1 || action == .discard
                guard let chosen = try isAsked ? call.confirmed(ids, isAll: isAll) : ids else {
                    let count =
                        isBounded
                        ? "the first \(Format.plural(ids.count, "row")) that match" : Format.plural(ids.count, "row")
                    let kept: [(String, String)] =
                        isAll ? fields.map { ($0.name, $0.value) } : ids.map { ("id", "\($0)") }
                    let more: [(String, String)] = isAll ? call.question(ids) : [("action", action.rawValue)]
                    return .page(
                        .confirm(
                            "\(action.verb) \(count)?",
                            action.meaning,
                            "/outbox/actions",
                            "\(action.verb) \(Format.plural(ids.count, "row"))",
                            kept + more,
                            back: back,
                            tab: .outbox,
                            call.frame,
                            call
                        )
                    )
                }
                let plan = action.plan(
                    chosen,
                    target(call.body, chosen, isAll),
                    side,
                    actor: call.identity.name,
                    return: back
                )
                return call.page(of: try await call.start(plan, in: call.core.sourceAudit))
            },
        ]
        + OutboxAction.allCases.map { action in
            change(
                "/outbox/\(action.rawValue)",
                "\(action.verb) rows: those named, or all that match a filter",
                body: [.ids("the rows; without them, all that match")] + filters + [.dryRun]
            ) { call in
                let side = try call.producer()
                let named = try call.ids()
                guard
                    !named.isEmpty
                        || call.body.pairs.contains(where: {
                            ["state", "topic", "model", "record", "error", "all"].contains($0.name)
                        })
                else {
                    throw DionysusError(
                        .malformed,
                        "neither ids nor a filter is given",
                        advice: "give all=true to mean all"
                    )
                }
                let (ids, isBounded) = named.isEmpty ? try await matching(call.body, side) : (named, false)
                guard !call.body.isOn("dry_run") else {
                    return .json(.object(["matched": .integer(Int64(ids.count)), "more": .bool(isBounded)]))
                }
                let plan = action.plan(
                    ids,
                    target(call.body, ids, named.isEmpty),
                    side,
                    actor: call.identity.name,
                    return: "/outbox"
                )
                return .json((try await call.start(plan, in: call.core.sourceAudit)).json, .accepted)
            }
        }

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

    private static func target(_ values: Values, _ ids: [Int64], _ isAll: Bool) -> String {
        guard isAll else {
            return "rows \(ids.prefix(20).map(String.init).joined(separator: ", "))\(ids.count > 20 ? ", …" : "")"
        }
        let parts = ["state", "topic", "model", "record", "error"]
            .compactMap { name in values[name].map { "\(name)=\($0)" } }
        return parts.isEmpty ? "all that failed" : "all with \(parts.joined(separator: " "))"
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
