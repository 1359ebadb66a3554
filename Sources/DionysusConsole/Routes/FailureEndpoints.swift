import Dionysus
import DionysusConsumer

extension Endpoint {
    private static let filters: [Parameter] = [
        .choice("state", ["failed", "waiting"], "whether they failed, or wait behind one that did"),
        .text("topic", "the full name of their topic"), .text("error", "the kind of their last error"),
        .text("key", "their message key: Rental:42"), .text("cause", "what their error says, as a group has it"),
    ]

    static let failures: [Endpoint] =
        [
            page("/failures", "Messages that could not be applied", isLive: true) { call in
                let list = try call.failures()
                let isListing = ["topic", "error", "key", "cause", "state", "list", "after"]
                    .contains { call.query[$0] != nil }
                let report = await FailureReport.read(
                    call.core,
                    list,
                    try filter(call.query, limit: FailureReport.pageSize),
                    cause: call.query["cause"],
                    listing: isListing
                )
                return .page(.failures(report, call.frame, call))
            },
            read(
                "/failures",
                "Messages that could not be applied, by cause and one by one",
                query: filters + [.after, .limit],
                answer: [
                    ("failed", "how many failed"), ("waiting", "how many wait behind them"),
                    ("more", "whether there are more than were looked at"), ("groups", "by topic, kind and cause"),
                    ("failures", "those that match"), ("next", "what to give as after for the next page"),
                ]
            ) { call in
                let report = await FailureReport.read(
                    call.core,
                    try call.failures(),
                    try filter(call.query, limit: try call.limit()),
                    cause: call.query["cause"],
                    listing: true
                )
                return .json(report.json)
            },
            page("/failures/{id}", "A message that could not be applied") { call in
                .page(.failure(try await detail(call), call.frame, call))
            },
            read("/failures/{id}", "A message that could not be applied, with its value and headers") { call in
                .json(try await detail(call).json(call.core.mask))
            },
            form("/failures/actions", "Retries, skips or deletes failures") { call in
                let list = try call.failures()
                let isAll = call.body["all"] != nil
                guard let action = try call.body.choice(isAll ? "all" : "action", of: FailureAction.self) else {
                    throw DionysusError(.malformed, "action is missing")
                }
                let own = ["csrf", "confirm", "action", "id", "upto", "expected"]
                let fields = call.body.pairs.filter { !own.contains($0.name) }
                let back = Link.to("/failures", fields.filter { $0.name != "all" }.map { ($0.name, $0.value) })
                let (ids, isBounded) = isAll ? try await matching(call.body, list) : (try call.ids(), false)
                guard !ids.isEmpty else {
                    throw DionysusError(.malformed, "no message is selected, or none matches any more")
                }
                let isAsked = isAll || ids.count > 1 || action != .retry
                guard let chosen = try isAsked ? call.confirmed(ids, isAll: isAll) : ids else {
                    let count =
                        isBounded
                        ? "the first \(Format.plural(ids.count, "message")) that match"
                        : Format.plural(ids.count, "message")
                    let kept: [(String, String)] =
                        isAll ? fields.map { ($0.name, $0.value) } : ids.map { ("id", "\($0)") }
                    let more: [(String, String)] = isAll ? call.question(ids) : [("action", action.rawValue)]
                    return .page(
                        .confirm(
                            "\(action.verb) \(count)?",
                            action.meaning,
                            "/failures/actions",
                            "\(action.verb) \(Format.plural(ids.count, "message"))",
                            kept + more,
                            back: back,
                            tab: .failures,
                            call.frame,
                            call
                        )
                    )
                }
                let plan = action.plan(chosen, target(call.body, chosen, isAll), list, return: back)
                return call.page(of: try await call.start(plan, in: call.core.replicaAudit))
            },
            form("/failures/{id}/edit", "Applies a message with another value") { call in
                let (list, id) = (try call.failures(), try call.id())
                let (value, original) = try await edited(call, id, list)
                guard call.body.isOn("confirm") else {
                    let before = Payload(original, call.core.mask).pretty
                    let after = Payload(value, call.core.mask).pretty
                    return .page(.difference(id, before, after, call.frame, call))
                }
                let plan = FailureAction.edit(id, value, original: original, list)
                return call.page(of: try await call.start(plan, in: call.core.replicaAudit))
            },
            change(
                "/failures/{id}/edit",
                "Applies a message with another value; the original is kept in the audit log",
                body: [.init(name: "payload", kind: .document, meaning: "the value, as JSON", isRequired: true)]
            ) { call in
                let (list, id) = (try call.failures(), try call.id())
                let (value, original) = try await edited(call, id, list)
                let plan = FailureAction.edit(id, value, original: original, list)
                return .json((try await call.start(plan, in: call.core.replicaAudit)).json, .accepted)
            },
            form("/failures/replay", "Applies the messages of a dead-letter topic") { call in
                let topic = try call.body.required("topic")
                let plan = try replay(topic, call)
                return call.page(of: try await call.start(plan, in: call.core.replicaAudit))
            },
            change(
                "/failures/replay",
                "Applies the messages of a dead-letter topic",
                body: [.text("topic", "the topic's full name", required: true)]
            ) { call in
                let plan = try replay(try call.body.required("topic"), call)
                return .json((try await call.start(plan, in: call.core.replicaAudit)).json, .accepted)
            },
        ]
        + FailureAction.allCases.map { action in
            change(
                "/failures/\(action.rawValue)",
                "\(action.verb)s failures: those named, or all that match a filter",
                body: [.ids("the failures; without them, all that match")] + filters + [.dryRun]
            ) { call in
                let list = try call.failures()
                let named = try call.ids()
                guard
                    !named.isEmpty
                        || call.body.pairs.contains(where: {
                            ["state", "topic", "error", "key", "cause", "all"].contains($0.name)
                        })
                else {
                    throw DionysusError(
                        .malformed,
                        "neither ids nor a filter is given",
                        advice: "give all=true to mean all"
                    )
                }
                let (ids, isBounded) = named.isEmpty ? try await matching(call.body, list) : (named, false)
                guard !call.body.isOn("dry_run") else {
                    return .json(.object(["matched": .integer(Int64(ids.count)), "more": .bool(isBounded)]))
                }
                let plan = action.plan(ids, target(call.body, ids, named.isEmpty), list, return: "/failures")
                return .json((try await call.start(plan, in: call.core.replicaAudit)).json, .accepted)
            }
        }

    private static func filter(_ values: Values, limit: Int) throws -> FailureFilter {
        FailureFilter(
            state: try values.choice("state", of: RecordedFailure.State.self),
            topic: values["topic"],
            key: values["key"],
            errorClass: values["error"],
            after: try values.integer("after"),
            limit: limit
        )
    }

    private static func matching(_ values: Values, _ list: ConsumerFailures) async throws -> ([Int64], Bool) {
        var filter = try filter(values, limit: 10_000)
        filter.state = filter.state ?? .failed
        filter.after = nil
        let found = try await list.list(filter, cause: values["cause"])
        return (found.failures.map(\.id), found.isBounded)
    }

    private static func target(_ values: Values, _ ids: [Int64], _ isAll: Bool) -> String {
        guard isAll else {
            return "failures \(ids.prefix(20).map(String.init).joined(separator: ", "))\(ids.count > 20 ? ", …" : "")"
        }
        let parts = ["state", "topic", "error", "key", "cause"]
            .compactMap { name in values[name].map { "\(name)=\($0)" } }
        return parts.isEmpty ? "all" : "all with \(parts.joined(separator: " "))"
    }

    private static func detail(_ call: Call) async throws -> FailureDetail {
        let id = try call.id()
        guard let detail = try await FailureDetail.read(id, call.core, try call.failures()) else {
            throw DionysusError(.notFound, "there is no failure \(id); it may have been applied meanwhile")
        }
        return detail
    }

    private static func edited(
        _ call: Call,
        _ id: Int64,
        _ list: ConsumerFailures
    ) async throws -> (value: [UInt8], original: [UInt8]?) {
        guard let message = try await list.message(id) else {
            throw DionysusError(.notFound, "there is no failure \(id)")
        }
        let text = try call.body.required("payload")
        guard let document = try? JSON(parsing: Array(text.utf8)) else {
            throw DionysusError(.malformed, "the value isn't JSON")
        }
        let original = message.value.flatMap { try? JSON(parsing: $0) } ?? .null
        return (call.core.mask.restored(document, from: original).bytes, message.value)
    }

    private static func replay(_ topic: String, _ call: Call) throws -> ActionCenter.Plan {
        let (list, side, once) = (try call.failures(), try call.consumer(), Once())
        guard side.outline.topics.contains(where: { $0.deadLetters == topic }) else {
            throw DionysusError(.unknownTopic, "\(topic) is no dead-letter topic of this consumer")
        }
        return ActionCenter.Plan(
            title: "Apply the dead letters of \(topic)",
            name: "failures.replay",
            target: topic,
            matched: 1,
            returnPath: "/failures"
        ) {
            guard once.take() else { return nil }
            let replay = try await list.replayDeadLetters(of: topic)
            return [
                .init(
                    subject: topic,
                    outcome:
                        "\(replay.applied) applied, \(replay.recorded) recorded as failures, \(replay.foreign) of other groups left out",
                    isDone: replay.recorded == 0
                )
            ]
        }
    }
}
