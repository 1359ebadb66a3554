import Dionysus
import DionysusConsumer
import DionysusProducer

extension Page {
    static func record(_ report: RecordReport, _ frame: Frame, _ call: Call) -> Page {
        let parts: [HTML] = [
            "<h1>\(report.model) \(report.id)</h1>", buttons(report, call),
            "<div class=\"columns wide\">\(sides(report))\(way(report, frame))</div>", message(report, call),
            relations(report), problems(report),
        ]
        return Page("\(report.model) \(report.id)", verdict: report.verdict, isLive: true) { "\(parts)" }
    }

    private static func buttons(_ report: RecordReport, _ call: Call) -> HTML {
        guard let topic = report.topics.first, call.may(.operate) else { return "" }
        let forms = Forms(call: call)
        let fields = [("topic", topic)]
        let path = Link.record(report.model, report.id)
        let verify: HTML =
            report.isVerified && call.system.broker != nil ? forms.button("\(path)/verify", "Verify", fields) : ""
        let tombstone: HTML =
            call.may(.admin) && call.system.broker != nil
            ? forms.button("\(path)/tombstone", "Publish a tombstone…", fields, class: "plain") : ""
        return
            "<p class=\"actions\">\(forms.button("\(path)/publish", "Publish again", fields)) \(verify) \(tombstone)</p>"
    }

    private static func sides(_ report: RecordReport) -> HTML {
        let shared = report.comparisons.filter { !$0.isReplicasOwn }
        let rows = shared.map { comparison -> [HTML] in
            let differs = comparison.isSame == false
            let mark: HTML = differs ? "<b class=\"stuck\" title=\"differs\">▐ differs</b>" : ""
            return [
                HTML(escaping: comparison.name), cell(comparison.source, differs), cell(comparison.replica, differs),
                mark,
            ]
        }
        var notes: [HTML] = []
        if case .failed(let reason)? = report.source { notes.append(Elements.unreachable("source", reason)) }
        if case .failed(let reason)? = report.replica { notes.append(Elements.unreachable("replica", reason)) }
        if report.source == nil { notes.append("<p class=\"note\">This console doesn't see the source.</p>") }
        if report.replica == nil { notes.append("<p class=\"note\">This console doesn't see the replica.</p>") }
        let table = Elements.table(
            "Both sides",
            [.init("Attribute"), .init("Source"), .init("Replica"), .init("")],
            rows,
            empty: "Neither side has this record."
        )
        let tables = report.replicaTables.isEmpty ? "" : " · replica: \(report.replicaTables.joined(separator: ", "))"
        let own = Elements.pairs(
            report.comparisons.filter(\.isReplicasOwn).map { ($0.name, cell($0.replica, false)) }
        )
        let others: HTML =
            shared.count == report.comparisons.count
            ? "" : "<details><summary>The replica's other columns</summary>\(own)</details>"
        return Elements.section(
            "Both sides",
            "\(notes)\(table)\(others)",
            aside: "the source as it would be published now\(tables)"
        )
    }

    private static func cell(_ text: String?, _ differs: Bool) -> HTML {
        guard let text else { return "<span class=\"none\">–</span>" }
        let short = text.count > 400 ? "\(text.prefix(400))…" : text
        return differs ? "<mark><code>\(short)</code></mark>" : "<code>\(short)</code>"
    }

    private static func way(_ report: RecordReport, _ frame: Frame) -> HTML {
        let steps = report.steps.map { step -> HTML in
            let place = HTML(escaping: step.place)
            return """
                <li class="\(step.state.rawValue)"><div>\(Elements.clock(step.time)) <strong>\(step.title)</strong></div>\
                <div class="detail">\(step.detail)</div><div class="place">\(step.path.map { frame.link($0, place) } ?? place)</div></li>
                """
        }
        let list: HTML =
            steps.isEmpty
            ? """
            <p class="empty">Nothing of its way is kept: its rows aren't among the newest \(Format.number(RecordReport.lookedAt)), \
            and its topics have no event log.</p>
            """ : "<ol class=\"way\">\(steps)</ol>"
        let places = report.topics.map { ($0, "earliest") } + report.deadLetters.map { ($0, "latest-1000") }
        let links = places.map { topic, start in
            frame.link(report.path(of: topic, from: start), "Look for its messages in \(topic)")
        }
        return Elements.section("Its way, newest first", "\(list)<p>\(links.joined(separator: " · "))</p>")
    }

    private static func message(_ report: RecordReport, _ call: Call) -> HTML {
        guard case .read(let message?)? = report.preview else { return "" }
        let value = Payload(message.value, call.core.mask).pretty
        let headers = message.headers.map { header in
            "\(header.name): \(call.core.mask.applied(to: header.value, of: header.name) ?? "(when it is published)")"
        }
        return """
            <section><details><summary>The message as it would be published now</summary>\
            <pre tabindex="0">key: \(message.key)
            \(headers.joined(separator: "\n"))

            \(value)</pre></details></section>
            """
    }

    private static func relations(_ report: RecordReport) -> HTML {
        guard !report.relations.isEmpty else { return "" }
        return Elements.section(
            "What else moves with it",
            "<ul>\(report.relations.map { "<li>\(report.model) \($0)</li>" as HTML })</ul>"
        )
    }

    private static func problems(_ report: RecordReport) -> HTML {
        guard !report.problems.isEmpty else { return "" }
        return Elements.section("What can't be seen", "<ul>\(report.problems.map { "<li>\($0)</li>" as HTML })</ul>")
    }
}
