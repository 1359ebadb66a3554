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
                    ("more", "whether there are more than were looked at"),
                    ("groups", "by topic, kind and cause, each with how many wait behind it"),
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
            form("/failures/{id}/edit", "Applies a message with another value") { call in
                let (list, id) = (try call.failures(), try call.id())
                let (value, message) = try await edited(call, id, list)
                let original = message.message.value
                guard call.body.isOn("confirm") else {
                    let before = Payload(message, call.core.mask).pretty
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
                let (value, message) = try await edited(call, id, list)
                let plan = FailureAction.edit(id, value, original: message.message.value, list)
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
        + targets.endpoints("Retries, skips or deletes failures")

    private static let targets = BulkTargets<FailureAction, ConsumerFailures>(
        tab: .failures,
        noun: "message",
        nouns: "failures",
        everything: "all",
        filters: filters,
        side: { try $0.failures() },
        matching: { try await matching($0, $1) },
        plan: { action, ids, target, failures, _, path in action.plan(ids, target, failures, return: path) },
        audit: \.replicaAudit
    )

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
        return try await list.ids(filter, cause: values["cause"])
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
    ) async throws -> (value: [UInt8], message: ReadMessage) {
        guard let message = try await list.message(id) else {
            throw DionysusError(.notFound, "there is no failure \(id)")
        }
        let text = try call.body.required("payload")
        guard let document = try? JSON(parsing: Array(text.utf8)) else {
            throw DionysusError(.malformed, "the value isn't JSON")
        }
        let read = await list.readable(message)
        let original = read.record ?? message.value.flatMap { try? JSON(parsing: $0) } ?? .null
        return (call.core.mask.restored(document, from: original).bytes, read)
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
