import Dionysus
import DionysusConsumer

extension Page {
    static func verifications(_ runs: [ComparedRun], _ frame: Frame, _ call: Call) -> Page {
        let rows = runs.reversed().prefix(200)
            .map { run -> [HTML] in
                [
                    frame.link(run.path, "verification \(run.number)"), HTML(escaping: run.topic),
                    Elements.text(run.subject), state(of: run),
                    HTML(escaping: Format.number(run.records)), HTML(escaping: run.findings),
                    Elements.time(run.startedAt), Elements.time(run.finishedAt),
                ]
            }
        let table = Elements.table(
            "Verifications",
            [
                .init("Run"), .init("Topic"), .init("Records"), .init("State"), .number("Compared"),
                .init("Differences"),
                .init("Started"), .init("Ended"),
            ],
            Array(rows),
            empty: "Nothing was compared yet. A verification shows whether the replica equals its source."
        )
        return Page("Verifications", tab: .runs, verdict: verdict(runs), isLive: true) {
            Elements.section("Verifications", table)
        }
    }

    /// The last run over all records of each model counts: an earlier one has been overtaken by it.
    private static func verdict(_ runs: [ComparedRun]) -> Verdict {
        var last: [String: ComparedRun] = [:]
        for run in runs where run.state == .completed && run.isWhole {
            last["\(run.topic) \(run.model ?? "")"] = run
        }
        guard !last.isEmpty else {
            return Verdict(.idle, "No comparison of all records of a model has been completed.")
        }
        let different = last.values.filter { ($0.differences ?? 0) > 0 }.sorted { $0.topic < $1.topic }
        guard let first = different.first else {
            return Verdict(.well, "The last comparison of every model has found no difference.")
        }
        return Verdict(
            .stuck,
            "The replica of \(first.topic) differs from its source: \(first.findings).",
            first.path,
            "Look at it"
        )
    }

    private static func state(of run: ComparedRun) -> HTML {
        switch run.state {
        case .comparing, .ended, .rechecking: Elements.state(.late, run.state.rawValue)
        case .completed: Elements.state(run.differences == 0 ? .well : .stuck, run.state.rawValue)
        case .cancelled: Elements.state(.idle, run.state.rawValue)
        }
    }

    static func verification(
        _ run: ComparedRun,
        _ list: [Difference],
        _ hasMore: Bool,
        _ frame: Frame,
        _ call: Call
    ) -> Page {
        let facts = Elements.pairs([
            ("State", state(of: run)), ("Topic", HTML(escaping: run.topic)), ("Records", Elements.text(run.subject)),
            ("Compared", HTML(escaping: "\(Format.number(run.records)) records")),
            (
                "Chunks",
                HTML(escaping: Format.number(run.chunks) + (run.chunksTotal.map { " of \(Format.number($0))" } ?? ""))
            ),
            ("Differences", HTML(escaping: run.findings)), ("Started", Elements.time(run.startedAt)),
            ("Ended", Elements.time(run.finishedAt)),
        ])
        let rows = list.map { difference -> [HTML] in
            [
                HTML(escaping: difference.kind.rawValue),
                frame.link(
                    Link.record(difference.model, difference.recordID),
                    HTML(escaping: "\(difference.model) \(difference.recordID)")
                ),
                HTML(escaping: difference.columns.joined(separator: ", ")), Elements.time(difference.foundAt),
                Elements.time(difference.repairedAt),
            ]
        }
        let table = Elements.table(
            "Differences",
            [.init("Kind"), .init("Row"), .init("Columns"), .init("Found"), .init("Repaired")],
            rows,
            empty: run.state == .completed
                ? "The replica equals its source." : "What differs is known once the run is completed."
        )
        let topic = Link.encoded(run.topic)
        let more: HTML =
            hasMore
            ? """
            <p>\(frame.link("/verifications/\(run.number)?topic=\(topic)&after=\(list.last?.id ?? 0)", "more differences"))</p>
            """ : ""
        let isOpen = (run.differences ?? 0) > 0 && list.contains { $0.repairedAt == nil }
        let button: HTML =
            isOpen && call.may(.operate)
            ? Forms(call: call)
                .button("/verifications/\(run.number)/repair", "Repair…", [("topic", run.topic)]) : ""
        let isWell = run.differences == 0
        return Page(
            "Verification \(run.number)",
            tab: .runs,
            verdict: Verdict(
                isWell ? .well : run.differences == nil ? .idle : .stuck,
                isWell
                    ? "The replica of \(run.isWhole ? "" : "\(run.subject) in ")\(run.topic) equals its source."
                    : "Verification \(run.number) of \(run.topic) is \(run.state.rawValue): \(run.findings)."
            ),
            isLive: true
        ) {
            """
            <h1>Verification \(run.number): \(run.subject) in \(run.topic)</h1>\(facts)<p class="actions">\(button)</p>\
            \(Elements.section("Differences", table + more))
            """
        }
    }
}
