import Dionysus
import DionysusProducer

extension Endpoint {
    static let runs: [Endpoint] =
        [
            page("/runs", "Genesis runs", isLive: true) { call in
                _ = try call.producer()
                let runs = await call.core.runs?.reading() ?? .current([])
                return .page(.runs(runs, call.frame, call))
            },
            read("/runs", "Genesis runs, the oldest first", answer: [("runs", "a list")]) { call in
                let runs = try await SourceActions.genesis(try call.producer()).runs()
                return .json(.object(["runs": .array(runs.map(\.json))]))
            },
            page("/runs/{id}", "A genesis run", isLive: true) { call in
                let run = try await SourceActions.genesis(try call.producer()).run(try call.id())
                return .page(.run(run, call.frame, call))
            },
            read("/runs/{id}", "A genesis run") { call in
                .json((try await SourceActions.genesis(try call.producer()).run(try call.id())).json)
            },
            form("/runs", "Starts a genesis run") { call in
                let what = try call.body.required("what").split(separator: " ", maxSplits: 1).map(String.init)
                guard what.count == 2 else { throw DionysusError(.malformed, "what must name a topic and a model") }
                let (topic, model) = (what[0], what[1])
                let (selection, spread) = (try selection(call.body), try spread(call.body))
                guard call.body.isOn("confirm") else {
                    let count = await Part.reading { try await estimate(model, call) }
                    let fields = call.body.pairs.filter { $0.name != "csrf" }.map { ($0.name, $0.value) }
                    return .page(
                        .confirm(
                            "Publish \(model) to \(topic)?",
                            meaning(selection, spread, count.value ?? nil),
                            "/runs",
                            "Start the run",
                            fields,
                            back: "/runs",
                            tab: .runs,
                            call.frame,
                            call
                        )
                    )
                }
                let plan = SourceActions.start(topic: topic, model: model, selection, over: spread, try call.producer())
                return call.page(of: try await call.start(plan, in: call.core.sourceAudit))
            },
            change(
                "/runs",
                "Starts a genesis run",
                body: [
                    .text("topic", "the topic's full name", required: true),
                    .text("model", "the model's name", required: true),
                    .time("from", "only records that changed since"), .time("to", "only records that changed before"),
                    .text("where", "only records with a value in a column: account_id=7; may be a list"),
                    .boolean("visible_only", "whether soft-deleted records are left out"),
                    .integer("hours", "the time over which it is spread"),
                ]
            ) { call in
                let plan = SourceActions.start(
                    topic: try call.body.required("topic"),
                    model: try call.body.required("model"),
                    try selection(call.body),
                    over: try spread(call.body),
                    try call.producer()
                )
                return .json((try await call.start(plan, in: call.core.sourceAudit)).json, .accepted)
            },
        ]
        + SourceActions.RunAction.allCases.flatMap { action -> [Endpoint] in
            [
                form("/runs/{id}/\(action.rawValue)", "\(action.verb)s a run") { call in
                    let plan = SourceActions.change(try call.id(), action, try call.producer())
                    return call.page(of: try await call.start(plan, in: call.core.sourceAudit))
                },
                change("/runs/{id}/\(action.rawValue)", "\(action.verb)s a run") { call in
                    let plan = SourceActions.change(try call.id(), action, try call.producer())
                    return .json((try await call.start(plan, in: call.core.sourceAudit)).json, .accepted)
                },
            ]
        }

    private static func selection(_ values: Values) throws -> GenesisSelection {
        let conditions = try values.all("where").filter { !$0.isEmpty }
            .map { text -> GenesisSelection.Condition in
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2, !parts[0].trimmed.isEmpty else {
                    throw DionysusError(.malformed, "where must be written as column=value")
                }
                return .init(parts[0].trimmed, parts[1].trimmed.isEmpty ? nil : parts[1].trimmed)
            }
        return GenesisSelection(
            from: try values.time("from"),
            to: try values.time("to"),
            where: conditions,
            visibleOnly: values.isOn("visible_only")
        )
    }

    static func spread(_ values: Values) throws -> Duration? {
        guard let text = values["hours"] else { return nil }
        guard let hours = Double(text), hours > 0, hours < 100_000 else {
            throw DionysusError(.malformed, "hours must be a number above 0")
        }
        return .seconds(hours * 3600)
    }

    /// About how many records a model has, by the database's own estimate or a bounded count.
    private static func estimate(_ model: String, _ call: Call) async throws -> BoundedCount? {
        let side = try call.producer()
        guard let table = call.system.publications.first(where: { $0.model.model == model })?.model.table else {
            return nil
        }
        let limit = 100_000
        return try await side.database.transaction(.snapshot) { transaction in
            let counted = try transaction.run(
                "SELECT count(*) FROM (SELECT 1 FROM \(identifier: table) LIMIT \(limit + 1)) counted"
            )
            return BoundedCount(counted: Int(try counted.first?.integer(0) ?? 0), limit: limit)
        }
    }

    private static func meaning(_ selection: GenesisSelection, _ spread: Duration?, _ count: BoundedCount?) -> String {
        let isSelected =
            selection.from != nil || selection.to != nil || !selection.conditions.isEmpty || selection.visibleOnly
        let records = count.map { "\(isSelected ? "at most " : "")\(Format.count($0)) records" } ?? "the records"
        let pace =
            spread.map { spread -> String in
                let rate = count.map { Double($0.value) / max(1, spread.inSeconds) }
                let end = Timestamp.now + spread.inSeconds
                return "spread until \(Format.time(end)) UTC\(rate.map { ", at about \(Format.decimal($0))/s" } ?? "")"
            } ?? "as fast as the relay can"
        return
            "It writes \(records) to the outbox chunk by chunk, \(pace), and the relay publishes the state that they have then."
    }
}
