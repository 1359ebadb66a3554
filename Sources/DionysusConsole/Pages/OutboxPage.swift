import Dionysus
import DionysusProducer

extension Page {
    static func outbox(_ report: OutboxReport, _ frame: Frame, _ call: Call) -> Page {
        Page("Outbox", tab: .outbox, verdict: verdict(report), isLive: true) {
            """
            \(matrix(report, frame))\(rows(report, frame, call))
            """
        }
    }

    private static func verdict(_ report: OutboxReport) -> Verdict {
        guard let summary = report.summary.value else {
            return Verdict(.stuck, "The outbox can't be read: \(report.summary.problem ?? "unknown").")
        }
        if let refused = summary.refused.first {
            return Verdict(.stuck, "\(refused.modelName) can't be published in \(refused.topic): \(refused.reason)")
        }
        let survey = summary.survey
        let waiting = survey.pending + survey.retrying
        if survey.parked.value > 0 {
            return Verdict(
                .stuck,
                "\(Format.count(survey.parked)) \(survey.parked.value == 1 ? "row is" : "rows are") parked and not tried again; "
                    + "\(Format.count(waiting)) wait to be published.",
                "/outbox?state=parked",
                "Look at the parked ones"
            )
        }
        if waiting.value == 0 { return Verdict(.well, "Nothing waits to be published.") }
        let age = summary.oldestAge ?? 0
        return Verdict(
            age > 30 || survey.retrying.value > 0 ? .late : .well,
            "\(Format.count(waiting)) \(waiting.value == 1 ? "row waits" : "rows wait") to be published, the oldest for \(Format.duration(age))."
        )
    }

    private static func matrix(_ report: OutboxReport, _ frame: Frame) -> HTML {
        guard let summary = report.summary.value else { return "" }
        let lanes = 0..<summary.survey.lanes
        let topics = Array(Set(summary.survey.cells.map(\.topic))).sorted()
        let rows = topics.map { topic -> [HTML] in
            let cells = summary.survey.cells.filter { $0.topic == topic }
            let title: HTML = topic.hasPrefix("__") ? "changes that others are computed from" : HTML(escaping: topic)
            let age = cells.compactMap(\.oldest).min()
            return [frame.link(Link.to("/outbox", [("topic", topic)]), title)]
                + lanes.map { lane -> HTML in
                    guard let cell = cells.first(where: { $0.lane == lane }) else {
                        return "<span class=\"none\">0</span>"
                    }
                    let late: HTML = cell.retrying > 0 ? " <b class=\"late\">+\(Format.number(cell.retrying))</b>" : ""
                    return "\(Format.number(cell.pending))\(late)"
                } + [Elements.time(age, now: summary.survey.readAt)]
        }
        guard !rows.isEmpty else { return stale(report.summary.problem) }
        let note: HTML =
            summary.survey.pending.hasMore
            ? "<p class=\"note\">Counted among the first 10,000 rows; there are more.</p>" : ""
        return Elements.section(
            "By topic and lane",
            stale(report.summary.problem)
                + Elements.table(
                    "Rows by topic and lane",
                    [.init("Topic")] + lanes.map { .number("Lane \($0)") } + [.init("Oldest")],
                    rows,
                    empty: ""
                ) + note,
            aside: "pending rows, and <b class=\"late\">+</b> those that are retried"
        )
    }

    private static func rows(_ report: OutboxReport, _ frame: Frame, _ call: Call) -> HTML {
        let states = [
            ("", "not published"), ("pending", "pending"), ("retrying", "retrying"), ("failed", "failed"),
            ("parked", "parked"),
        ]
        let form = Elements.filter(
            "\(frame.base)/outbox",
            [
                Elements.select("state", "State", states.map { (value: $0.0, title: $0.1) }, call.query["state"] ?? ""),
                Elements.field("topic", "Topic", call.query["topic"]),
                Elements.field("model", "Model", call.query["model"]),
                Elements.field("record", "Record", call.query["record"]),
                Elements.field("error", "Error", call.query["error"]),
            ]
        )
        if case .failed(let reason) = report.rows {
            return Elements.section("Rows", form + Elements.unreachable("unreachable", reason))
        }
        let columns: [Elements.Column] = [
            .number("Row"), .init("State"), .init("Record"), .init("Event"), .init("Topic"), .init("Recorded"),
            .number("Attempts"), .init("Next try"), .init("Error"),
        ]
        let lines = report.entries.map { entry -> [HTML] in
            [
                frame.link("/outbox/\(entry.id)", "\(Format.number(entry.id))"), rowState(entry.state),
                frame.link(Link.record(entry.modelName, entry.recordID), "\(entry.modelName) \(entry.recordID)"),
                HTML(escaping: entry.eventName), HTML(escaping: entry.topic), Elements.time(entry.createdAt),
                "\(entry.attempts)", Elements.time(entry.retryAt), Elements.text(entry.errorClass),
            ]
        }
        let table = Elements.table(
            "Rows",
            columns,
            lines,
            empty: "Nothing waits. Rows that are yet to be published, or could not be, would be here.",
            selectable: call.may(.operate) ? report.entries.map { "\($0.id)" } : nil
        )
        let filter = ["state", "topic", "model", "record", "error"].map { ($0, call.query[$0]) }
        let bulk =
            lines.isEmpty
            ? table
            : Forms(call: call)
                .bulk(
                    "/outbox/actions",
                    [("retry", "Retry", "r"), ("discard", "Discard", "d")],
                    filter: filter,
                    all: allText(report, call),
                    table
                )
        let more = report.next.map { next -> HTML in
            let query = call.query.with([("after", "\(next)")]).encoded
            return "<p>\(frame.link("/outbox?\(query)", "Next rows"))</p>"
        }
        let bounded: HTML =
            report.rows.value?.isBounded == true
            ? "<p class=\"note\">Looked at the first 10,000 rows that wait; others behind them aren't listed.</p>" : ""
        return Elements.section("Rows", "\(form)\(bulk)\(more)\(bounded)")
    }

    /// What an action on all means: only rows that have failed can be retried or discarded.
    private static func allText(_ report: OutboxReport, _ call: Call) -> String? {
        if [.failed, .parked, .retrying].contains(report.filter.scope) {
            return report.entries.count > 1 ? "all that match" : nil
        }
        let survey = report.summary.value?.survey
        return (survey?.retrying.value ?? 0) + (survey?.parked.value ?? 0) > 1 ? "all that failed" : nil
    }

    static func rowState(_ state: OutboxEntry.State) -> HTML {
        switch state {
        case .pending: Elements.state(.idle, "pending")
        case .retrying: Elements.state(.late, "retrying")
        case .parked: Elements.state(.stuck, "parked")
        case .published: Elements.state(.well, "published")
        }
    }

    static func outboxRow(
        _ entry: OutboxEntry,
        _ preview: Part<MessagePreview?>?,
        _ behind: [OutboxEntry],
        _ frame: Frame,
        _ call: Call
    ) -> Page {
        let forms = Forms(call: call)
        let fields = [("id", "\(entry.id)")]
        var buttons = HTML.none
        if call.may(.operate), entry.state == .retrying || entry.state == .parked {
            buttons =
                forms.button("/outbox/actions", "Retry this row", fields + [("action", "retry")])
                + forms.button("/outbox/actions", "Discard this row", fields + [("action", "discard")], class: "plain")
        }
        let facts = Elements.pairs([
            ("State", rowState(entry.state)),
            (
                "Record",
                frame.link(Link.record(entry.modelName, entry.recordID), "\(entry.modelName) \(entry.recordID)")
            ),
            ("Event", HTML(escaping: entry.eventName)), ("Topic", HTML(escaping: entry.topic)),
            ("Partition key", Elements.code(entry.partitionKey)),
            ("Changed", Elements.text(entry.changedColumns.joined(separator: ", "))),
            ("Recorded", Elements.time(entry.createdAt)), ("Published", Elements.time(entry.publishedAt)),
            ("Attempts", "\(entry.attempts)"), ("Failed", Elements.time(entry.failedAt)),
            ("Next try", Elements.time(entry.retryAt)), ("Written by", Elements.text(entry.origin ?? "a change")),
            ("Error", Elements.text(entry.errorClass)), ("Says", Elements.text(entry.errorMessage)),
        ])
        let message: HTML =
            switch preview {
            case .read(let message?)?:
                "<pre tabindex=\"0\">\(Payload(message.value, call.core.mask).pretty)</pre>"
            case .read(nil)?: "<p class=\"empty\">The record is gone, and its destruction is published.</p>"
            case .failed(let reason)?: Elements.unreachable("can't be composed", reason)
            case nil: "<p class=\"empty\">This row is turned into rows of the records that it changes.</p>"
            }
        let others = behind.filter { $0.id != entry.id && $0.publishedAt == nil }
        let earlier = others.filter { $0.id < entry.id }
        let waits =
            earlier.first.map { row -> HTML in
                "<p>It waits behind \(frame.link("/outbox/\(row.id)", "row \(row.id)")) of the same record.</p>"
            } ?? ""
        return Page(
            "Row \(entry.id)",
            tab: .outbox,
            verdict: rowVerdict(entry, earlier.first)
        ) {
            """
            <h1>Row \(Format.number(entry.id))</h1>\(waits)\(facts)<p>\(buttons)</p>\
            \(Elements.section("What it would publish now", message))
            """
        }
    }

    private static func rowVerdict(_ entry: OutboxEntry, _ earlier: OutboxEntry?) -> Verdict {
        switch entry.state {
        case .published where entry.errorMessage != nil:
            Verdict(.idle, "Row \(entry.id) was settled without a message: \(entry.errorMessage ?? "").")
        case .published: Verdict(.well, "Row \(entry.id) has been published.")
        case .pending where earlier != nil:
            Verdict(.late, "Row \(entry.id) waits behind row \(earlier?.id ?? 0) of the same record.")
        case .pending: Verdict(.idle, "Row \(entry.id) waits to be published.")
        case .retrying:
            Verdict(.late, "Row \(entry.id) has failed \(Format.plural(entry.attempts, "time")) and is tried again.")
        case .parked:
            Verdict(.stuck, "Row \(entry.id) has failed for the last time and is parked: \(entry.errorMessage ?? "").")
        }
    }
}
