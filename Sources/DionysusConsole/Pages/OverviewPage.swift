import Dionysus
import DionysusProducer

extension Page {
    static func overview(_ report: OverviewReport, _ frame: Frame) -> Page {
        let facts = report.core
        let blocks: HTML = """
            <div class="figures">\(facts.hasProducer ? outboxFigures(facts, frame) : "")\
            \(facts.hasConsumer ? replicaFigures(facts, frame) : "")</div>
            """
        return Page("Overview", tab: .overview, verdict: report.verdict, isLive: true, refresh: 10) {
            """
            \(blocks)\(charts(report, frame))\(topics(report, frame))\(beside(facts, frame))
            """
        }
    }

    private static func outboxFigures(_ facts: OverviewReport.Facts, _ frame: Frame) -> HTML {
        guard let summary = facts.outbox?.value else {
            return
                "<section class=\"block\"><h2>Outbox</h2>\(Elements.unreachable("unreachable", facts.outbox?.problem ?? ""))</section>"
        }
        let survey = summary.survey
        let rate = facts.processes.value.map { $0.rate("relay") }
        return """
            <section class="block"><h2>\(frame.link("/outbox", "Outbox"))</h2>\(stale(facts.outbox?.problem))<dl class="row">\
            \(figure("oldest pending", summary.oldestAge.map { Format.duration($0) } ?? "–"))\
            \(figure("pending", Format.count(survey.pending)))\
            \(figure("retrying", Format.count(survey.retrying), survey.retrying.value > 0 ? .late : nil))\
            \(figure("parked", Format.count(survey.parked), survey.parked.value > 0 ? .stuck : nil))\
            \(figure("published, rows/s", rate.map(Format.decimal) ?? "–"))</dl></section>
            """
    }

    private static func replicaFigures(_ facts: OverviewReport.Facts, _ frame: Frame) -> HTML {
        let rate = facts.processes.value.map { $0.rate("consumer") }
        let consumers = facts.processes.value?.alive("consumer").count ?? 0
        let failures = facts.failures?.value
        let failed = failures.map { Format.count(BoundedCount($0.failed, hasMore: $0.hasMore)) } ?? "–"
        return """
            <section class="block"><h2>\(frame.link("/consumers", "Replica"))</h2>\
            \(stale(facts.lag?.problem ?? facts.failures?.problem))<dl class="row">\
            \(figure("lag", facts.lagAge.map { Format.duration($0) } ?? "–"))\
            \(figure("messages behind", facts.lagMessages.map { Format.number($0) } ?? "–"))\
            \(figure("failures", failed, facts.failed > 0 ? .stuck : nil))\
            \(figure("consumers", "\(consumers)"))\
            \(figure("applied, events/s", rate.map(Format.decimal) ?? "–"))</dl></section>
            """
    }

    static func figure(_ name: String, _ value: String, _ state: Elements.State? = nil) -> HTML {
        "<div><dt>\(name)</dt><dd\(class: state?.rawValue)>\(value)</dd></div>"
    }

    static func stale(_ problem: String?) -> HTML {
        problem.map { "<p class=\"stale\" role=\"status\">\($0)</p>" } ?? ""
    }

    private static func charts(_ report: OverviewReport, _ frame: Frame) -> HTML {
        let spans = OverviewReport.spans.map { name, seconds -> HTML in
            let current: HTML = seconds == report.span ? " aria-current=\"true\"" : ""
            return "<a href=\"\(frame.base)/?span=\(name)\"\(current)>\(name)</a>"
        }
        let series = (report.series.value ?? nil) ?? .empty(report.span)
        let step = Double(series.step)
        let facts = report.core
        var rates: [Chart.Line] = []
        var delays: [Chart.Line] = []
        if facts.hasProducer {
            rates.append(.init(name: "published", values: series.rates["relay"] ?? []))
            delays.append(.init(name: "to the broker, average", values: series.latencyAverages["relay"] ?? []))
            delays.append(.init(name: "to the broker, longest", values: series.latencyLongest["relay"] ?? []))
        }
        if facts.hasConsumer {
            rates.append(.init(name: "applied", values: series.rates["consumer"] ?? []))
            delays.append(.init(name: "replica's lag", values: series.ages["consumer"] ?? []))
        }
        let throughput = Chart(title: "Throughput", unit: "per second", start: series.start, step: step, lines: rates)
        let delay = Chart(
            title: "Delay",
            unit: "time",
            start: series.start,
            step: step,
            lines: delays,
            isLogarithmic: true
        )
        let missing: HTML =
            facts.processes.value?.isInstalled == false
            ? "<p class=\"stale\">Processes can't write figures: run migrate.</p>" : ""
        return """
            <section><h2>Over time <span class="aside" role="group" aria-label="Time">\(spans)</span></h2>\(missing)\
            <div class="charts">\(throughput.html)\(delay.html)</div></section>
            """
    }

    private static func topics(_ report: OverviewReport, _ frame: Frame) -> HTML {
        let rows = report.topics.map { topic -> [HTML] in
            let isObserved = topic.topic.hasPrefix("__")
            return [
                isObserved
                    ? "changes that others are computed from"
                    : frame.link(Link.messages(topic.topic), HTML(escaping: topic.topic)),
                Elements.text(topic.published.map(Format.decimal)), Elements.text(topic.applied.map(Format.decimal)),
                topic.waiting > 0
                    ? frame.link(
                        Link.to("/outbox", [("topic", topic.topic)]),
                        HTML(escaping: Format.number(topic.waiting))
                    ) : "0",
                Elements.text(topic.oldest.map { Format.duration($0) }),
                Elements.text(topic.lag.map { Format.number($0) }),
                Elements.text(topic.lagAge.map { Format.duration($0) }),
                topic.failures > 0
                    ? frame.link(
                        Link.to("/failures", [("topic", topic.topic)]),
                        "<b class=\"stuck\">\(Format.number(topic.failures))</b>"
                    )
                    : "0",
            ]
        }
        return Elements.section(
            "Topics",
            Elements.table(
                "Topics",
                [
                    .init("Topic"), .number("Published/s"), .number("Applied/s"), .number("Waiting, rows"),
                    .number("Oldest"), .number("Lag, messages"), .number("Lag, age"), .number("Failures"),
                ],
                rows,
                empty: "No topic has moved yet. Once rows are published, their topics are here."
            )
        )
    }

    private static func beside(_ facts: OverviewReport.Facts, _ frame: Frame) -> HTML {
        let processes = (facts.processes.value?.processes ?? [])
            .map { processRow($0, facts.processes.value?.readAt ?? .now) }
        let runs = (facts.runs?.value ?? []).filter(\.isOpen)
            .map { run -> [HTML] in
                [
                    frame.link("/runs/\(run.id)", "\(run.kind) \(run.id)"), "\(run.topic) \(run.model)", runState(run),
                    progress(run.percent), Elements.time(run.estimatedEnd),
                ]
            }
        let table = Elements.table(
            "Runs",
            [.init("Run"), .init("What"), .init("State"), .init("Progress"), .init("Ends")],
            runs,
            empty: "No run is open. \(frame.link("/runs", "Start one"))"
        )
        let runSection = facts.hasProducer ? Elements.section("Runs", table) : ""
        return "<div class=\"columns\">\(Elements.section("Processes", processTable(processes)))\(runSection)</div>"
    }

    static func processTable(_ rows: [[HTML]]) -> HTML {
        Elements.table(
            "Processes",
            [
                .init("Process"), .init("State"), .number("Per second"), .number("CPU"), .number("Memory"),
                .init("Since"),
                .init("Version"),
            ],
            rows,
            empty: "No process has written figures for two minutes. Start relay and consume."
        )
    }

    static func processRow(_ process: SampledProcess, _ now: Timestamp) -> [HTML] {
        let state = process.isAlive(at: now) ? Elements.state(.well, "alive") : Elements.state(.stuck, "silent")
        return [
            HTML(escaping: process.name), state, HTML(escaping: Format.decimal(process.rate)),
            Elements.text(process.processorShare.map { "\(Int(($0 * 100).rounded())) %" }),
            HTML(escaping: Format.bytes(process.residentBytes)), Elements.time(process.startedAt),
            Elements.text(process.version),
        ]
    }

    static func progress(_ percent: Double?) -> HTML {
        guard let percent else { return "<span class=\"none\">is being counted</span>" }
        let shown = "\(Int(percent))"
        return "<progress max=\"100\" value=\"\(shown)\" aria-label=\"Progress\"></progress> \(shown) %"
    }

    static func runState(_ run: GenesisRun) -> HTML {
        switch run.state {
        case .running: Elements.state(.well, "running")
        case .paused: Elements.state(.late, "paused")
        case .failed: Elements.state(.stuck, "failed")
        case .completed: Elements.state(.idle, "completed")
        case .cancelled: Elements.state(.idle, "cancelled")
        }
    }
}

extension Page {
    /// A page whose body is written behind it.
    init(
        _ title: String,
        tab: Tab? = nil,
        verdict: Verdict,
        isLive: Bool = false,
        refresh: Int? = nil,
        body: () -> HTML
    ) {
        self.init(title, tab: tab, verdict: verdict, isLive: isLive, refresh: refresh, body())
    }
}
