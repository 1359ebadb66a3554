import Dionysus
import DionysusProducer

extension Page {
    static func runs(_ runs: Reading<[GenesisRun]>, _ frame: Frame, _ call: Call) -> Page {
        let list = (runs.value ?? []).sorted { ($0.isOpen ? 1 : 0, $0.id) > ($1.isOpen ? 1 : 0, $1.id) }
        let rows = list.prefix(200)
            .map { run -> [HTML] in
                [
                    frame.link("/runs/\(run.id)", "\(run.kind) \(run.id)"), HTML(escaping: run.topic),
                    HTML(escaping: run.model),
                    runState(run), progress(run.percent), HTML(escaping: Format.number(run.recordsPublished)),
                    Elements.text(run.pace.map { "\(Format.decimal($0))/s" }), Elements.time(run.createdAt),
                    run.isOpen ? Elements.time(run.estimatedEnd) : Elements.time(run.finishedAt), runButtons(run, call),
                ]
            }
        let table = Elements.table(
            "Runs",
            [
                .init("Run"), .init("Topic"), .init("Model"), .init("State"), .init("Progress"), .number("Records"),
                .number("Pace"), .init("Started"), .init("Ends"), .init(""),
            ],
            Array(rows),
            empty: "No run was started yet. A genesis publishes records that exist already."
        )
        let problem = runs.value == nil ? Elements.unreachable("unreachable", runs.problem ?? "") : stale(runs.problem)
        return Page("Runs", tab: .runs, verdict: verdict(runs), isLive: true) {
            "\(Elements.section("Runs", problem + table))\(startForm(frame, call))\(verifyForm(frame, call))\(verificationsLink(frame, call))"
        }
    }

    private static func verdict(_ runs: Reading<[GenesisRun]>) -> Verdict {
        guard let list = runs.value else {
            return Verdict(.stuck, "The runs can't be read: \(runs.problem ?? "unknown").")
        }
        if let failed = list.first(where: { $0.state == .failed }) {
            return Verdict(
                .stuck,
                "Run \(failed.id) has failed: \(failed.error ?? "").",
                "/runs/\(failed.id)",
                "Look at it"
            )
        }
        let open = list.filter(\.isOpen)
        guard let first = open.first else { return Verdict(.well, "No run is open.") }
        let percent = first.percent.map { ", \(Int($0)) % done" } ?? ""
        return Verdict(
            .well,
            open.count == 1
                ? "Run \(first.id) publishes \(first.model) to \(first.topic)\(percent)."
                : "\(open.count) runs are open."
        )
    }

    private static func runButtons(_ run: GenesisRun, _ call: Call) -> HTML {
        guard call.may(.operate) else { return "" }
        let forms = Forms(call: call)
        return SourceActions.RunAction.allCases.filter { $0.states.contains(run.state) }
            .map { action in
                forms.button(
                    "/runs/\(run.id)/\(action.rawValue)",
                    action.verb,
                    class: action == .cancel ? "plain" : nil
                )
            }
            .joined(separator: " ")
    }

    /// The way to what consumers have found, where their replica can be reached.
    private static func foundLink(_ run: GenesisRun, _ frame: Frame, _ call: Call) -> HTML {
        guard run.isVerification, call.system.consumer != nil else { return "" }
        return frame.link("/verifications", "What consumers have found")
    }

    private static func verificationsLink(_ frame: Frame, _ call: Call) -> HTML {
        guard call.system.consumer != nil else { return "" }
        return "<p>\(frame.link("/verifications", "What verifications have found"))</p>"
    }

    private static func verifyForm(_ frame: Frame, _ call: Call) -> HTML {
        guard call.may(.operate), call.system.broker != nil else { return "" }
        let choices = call.system.publications.map { topic, model in
            (value: "\(topic) \(model.model)", title: "\(model.model) in \(topic)")
        }
        guard !choices.isEmpty else { return "" }
        return Elements.section(
            "Start a verification",
            """
            <p>It publishes what the records look like now, and consumers that declare the topic as verified compare their \
            rows with that. Nothing is changed.</p>\
            <form class="stack" method="post" action="\(frame.base)/verifications">\(Forms(call: call).token)\
            \(Elements.select("what", "Compare", choices, call.query["verify"] ?? ""))\
            \(Elements.field("from", "From id", nil))\(Elements.field("to", "To id", nil))\
            \(Elements.field("hours", "Spread over, hours", nil, placeholder: "as fast as possible"))\
            <button>Compare</button></form>
            """
        )
    }

    private static func startForm(_ frame: Frame, _ call: Call) -> HTML {
        guard call.may(.operate) else { return "" }
        let choices = call.system.publications.map { topic, model in
            (value: "\(topic) \(model.model)", title: "\(model.model) to \(topic)")
        }
        guard !choices.isEmpty else { return "" }
        return Elements.section(
            "Start a genesis",
            """
            <form class="stack" method="post" action="\(frame.base)/runs">\(Forms(call: call).token)\
            \(Elements.select("what", "Publish", choices, call.query["what"] ?? ""))\
            \(Elements.field("from", "Changed since", call.query["from"], placeholder: "2026-01-31"))\
            \(Elements.field("to", "Changed before", call.query["to"], placeholder: "2026-02-28"))\
            \(Elements.field("where", "Where", call.query["where"], placeholder: "account_id=7"))\
            \(Elements.field("hours", "Spread over, hours", call.query["hours"], placeholder: "as fast as possible"))\
            <label class="check"><input type="checkbox" name="visible_only" value="1"> without soft-deleted records</label>\
            <button>Show what it will do</button></form>
            """
        )
    }

    static func run(_ run: GenesisRun, _ frame: Frame, _ call: Call) -> Page {
        let conditions = run.selection.conditions.map { "\($0.column) = \($0.value ?? "null")" }
        let facts = Elements.pairs([
            ("State", runState(run)), ("Progress", progress(run.percent)),
            (
                "Chunks",
                "\(Format.number(run.chunksDone)) done, \(Format.number(run.chunksQueued)) taken, of \(Format.number(run.chunks))"
            ),
            (
                "Records",
                "\(Format.number(run.recordsPublished)) published of \(Format.number(run.recordsQueued)) taken"
            ),
            ("Pace", Elements.text(run.pace.map { "\(Format.decimal($0)) records/s" })),
            ("Spread over", Elements.text(run.spread.map { Format.duration($0) } ?? "as fast as possible")),
            ("Started", Elements.time(run.createdAt)), ("Ends", Elements.time(run.estimatedEnd)),
            ("Finished", Elements.time(run.finishedAt)),
            ("Changed since", Elements.time(run.selection.from)), ("Changed before", Elements.time(run.selection.to)),
            ("Keys", Elements.text(Format.keys(run.firstKey, run.lastKey))),
            ("Where", Elements.text(conditions.joined(separator: " and "))),
            ("Soft-deleted records", run.selection.visibleOnly ? "left out" : "included"),
            ("Streamer", Elements.text(run.streamer)), ("Error", Elements.text(run.error)),
        ])
        let percent = run.percent.map { ", \(Int($0)) % done" } ?? ""
        let state: Elements.State =
            switch run.state {
            case .running, .completed: .well
            case .paused: .late
            case .failed: .stuck
            case .cancelled: .idle
            }
        return Page(
            "Run \(run.id)",
            tab: .runs,
            verdict: Verdict(
                state,
                "Run \(run.id) of \(run.model) to \(run.topic) is \(run.state.rawValue)\(percent)."
            ),
            isLive: true
        ) {
            """
            <h1>\(run.kind.capitalized) \(run.id): \(run.model) to \(run.topic)</h1>\(facts)<p class="actions">\
            \(runButtons(run, call)) \(foundLink(run, frame, call))</p>
            """
        }
    }
}
