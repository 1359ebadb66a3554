import Dionysus
import DionysusConsumer
import DionysusProducer

extension Endpoint {
    /// How many differences a page shows.
    private static let pageSize = 200

    static let verifications: [Endpoint] = [
        page("/verifications", "What comparisons of the replica with its source have found", isLive: true) { call in
            let runs = try await VerificationActions.replica(try call.consumer()).runs()
            return .page(.verifications(runs, call.frame, call))
        },
        read(
            "/verifications",
            "What comparisons of the replica with its source have found, the oldest first",
            answer: [("verifications", "a list")]
        ) { call in
            let runs = try await VerificationActions.replica(try call.consumer()).runs()
            return .json(.object(["verifications": .array(runs.map(\.json))]))
        },
        page("/verifications/{id}", "What a verification run has found", isLive: true) { call in
            let (run, list) = try await found(call, limit: pageSize + 1)
            return .page(.verification(run, Array(list.prefix(pageSize)), list.count > pageSize, call.frame, call))
        },
        read(
            "/verifications/{id}",
            "What a verification run has found",
            query: [topic, .after, .limit],
            answer: [
                ("verification", "the run as the consumer sees it"), ("differences", "a list"),
                ("next", "what to give as after for the next page"),
            ]
        ) { call in
            let limit = try call.limit()
            let (run, list) = try await found(call, limit: limit + 1)
            let shown = list.prefix(limit)
            return .json(
                .object([
                    "verification": run.json, "differences": .array(shown.map(\.json)),
                    "next": list.count > limit ? .init(shown.last?.id) : .null,
                ])
            )
        },
        form("/verifications", "Compares replicas with their source") { call in
            let what = try call.body.required("what").split(separator: " ", maxSplits: 1).map(String.init)
            guard what.count == 2 else { throw DionysusError(.malformed, "what must name a topic and a model") }
            return call.page(of: try await start(topic: what[0], model: what[1], call))
        },
        change(
            "/verifications",
            "Starts a verification run, which compares replicas with their source",
            body: [
                .text("topic", "the topic's full name", required: true),
                .text("model", "the model's name", required: true), .text("from", "the first primary key"),
                .text("to", "the last primary key"), .integer("hours", "the time over which it is spread"),
            ]
        ) { call in
            let (topic, model) = (try call.body.required("topic"), try call.body.required("model"))
            return .json((try await start(topic: topic, model: model, call)).json, .accepted)
        },
        form("/verifications/{id}/repair", "Repairs what a verification run has found") { call in
            let (run, _) = try await found(call, limit: 1)
            guard call.body.isOn("confirm") else {
                return .page(
                    .confirm(
                        "Repair the replica of \(run.topic)?",
                        meaning(run, call),
                        "/verifications/\(run.number)/repair",
                        "Repair",
                        [("topic", run.topic)],
                        back: "/verifications/\(run.number)",
                        tab: .runs,
                        call.frame,
                        call
                    )
                )
            }
            return call.page(of: try await repair(run, call))
        },
        change(
            "/verifications/{id}/repair",
            "Repairs what a verification run has found: removes rows without a record, and publishes the others again",
            body: [topic]
        ) { call in
            let (run, _) = try await found(call, limit: 1)
            return .json((try await repair(run, call)).json, .accepted)
        },
    ]

    private static let topic = Parameter.text("topic", "the topic, where several sources have runs of one number")

    private static func found(_ call: Call, limit: Int) async throws -> (run: ComparedRun, list: [Difference]) {
        let replica = VerificationActions.replica(try call.consumer())
        let number = try call.id()
        let topic = call.body["topic"] ?? call.query["topic"]
        guard let run = try await replica.runs(number: number).last(where: { topic == nil || $0.topic == topic }) else {
            throw DionysusError(.notFound, "the consumer has heard of no verification run \(number)")
        }
        let after = try call.query.integer("after")
        return (run, try await replica.differences(of: run, after: after, limit: limit))
    }

    private static func start(topic: String, model: String, _ call: Call) async throws -> ActionProgress {
        let plan = VerificationActions.start(
            topic: topic,
            model: model,
            from: call.body["from"],
            to: call.body["to"],
            over: try spread(call.body),
            try call.producer(),
            try call.broker()
        )
        return try await call.start(plan, in: call.core.sourceAudit)
    }

    private static func repair(_ run: ComparedRun, _ call: Call) async throws -> ActionProgress {
        let plan = VerificationActions.repair(run, try call.consumer(), call.system.producer)
        return try await call.start(plan, in: call.core.replicaAudit)
    }

    private static func meaning(_ run: ComparedRun, _ call: Call) -> String {
        let again = (run.counts[.missing] ?? 0) + (run.counts[.stale] ?? 0) + (run.counts[.unreadable] ?? 0)
        let publishes =
            call.system.producer == nil
            ? "must be published again beside the source, which can't be reached from here"
            : "are published again through the outbox"
        return """
            At most \(Format.number(run.counts[.extra] ?? 0)) rows without a record are removed, unless a newer message has \
            written them since. At most \(Format.number(again)) records \(publishes).
            """
    }
}
