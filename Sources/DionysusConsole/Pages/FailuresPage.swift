import Dionysus
import DionysusConsumer

extension Page {
    static func failures(_ report: FailureReport, _ frame: Frame, _ call: Call) -> Page {
        let isList = report.list != nil
        return Page("Failures", tab: .failures, verdict: verdict(report), isLive: true) {
            """
            \(groups(report, frame, call))\(isList ? list(report, frame, call) : "")\(deadLetters(call, frame))
            """
        }
    }

    private static func verdict(_ report: FailureReport) -> Verdict {
        guard let survey = report.survey.value else {
            return Verdict(.stuck, "Failures can't be read: \(report.survey.problem ?? "unknown").")
        }
        guard survey.failed > 0 else {
            return survey.waiting == 0
                ? Verdict(.well, "Every message could be applied.")
                : Verdict(
                    .late,
                    "\(Format.plural(survey.waiting, "message")) still \(survey.waiting == 1 ? "waits" : "wait"), and nothing before them failed: retry them."
                )
        }
        let count =
            survey.hasMore
            ? "More than \(Format.plural(survey.failed, "message"))" : Format.plural(survey.failed, "message")
        let waiting = survey.waiting > 0 ? "; \(Format.number(survey.waiting)) wait behind them" : ""
        let since = survey.oldest.map { ", the oldest at \(Format.time($0)) UTC" } ?? ""
        return Verdict(.stuck, "\(count) could not be applied\(since)\(waiting).")
    }

    private static func groups(_ report: FailureReport, _ frame: Frame, _ call: Call) -> HTML {
        guard let survey = report.survey.value else { return "" }
        let forms = Forms(call: call)
        let rows = survey.groups.map { group -> [HTML] in
            let filter = [("topic", group.topic), ("error", group.errorClass), ("cause", group.cause)]
            let actions: HTML =
                call.may(.operate)
                ? forms.button("/failures/actions", "Retry \(Format.number(group.count))", filter + [("all", "retry")])
                : ""
            return [
                frame.link(
                    Link.to("/failures", filter.map { ($0.0, $0.1) }),
                    "<span class=\"cause\">\(group.cause)</span>"
                ),
                "<code>\(group.errorClass)</code>", HTML(escaping: group.topic),
                HTML(escaping: Format.number(group.count)), HTML(escaping: Format.number(group.waiting)),
                Elements.time(group.first), Elements.time(group.last), actions,
            ]
        }
        return Elements.section(
            "Causes",
            stale(report.survey.problem)
                + Elements.table(
                    "Failures by cause",
                    [
                        .init("What the error says"), .init("Kind"), .init("Topic"), .number("Messages"),
                        .number("Wait behind"), .init("First"), .init("Last"), .init(""),
                    ],
                    rows,
                    empty: "Nothing has failed. Messages that can't be applied would be here, grouped by their cause."
                )
                + (survey.hasMore ? "<p class=\"note\">Of the first 10,000 messages; there are more.</p>" : "")
        )
    }

    private static func list(_ report: FailureReport, _ frame: Frame, _ call: Call) -> HTML {
        let form = Elements.filter(
            "\(frame.base)/failures",
            [
                Elements.field("topic", "Topic", call.query["topic"]),
                Elements.field("error", "Kind", call.query["error"]),
                Elements.field("key", "Key", call.query["key"], placeholder: "Rental:42"),
                Elements.select(
                    "state",
                    "State",
                    [("", "any"), ("failed", "failed"), ("waiting", "waiting")].map { (value: $0.0, title: $0.1) },
                    call.query["state"] ?? ""
                ),
                call.query["cause"].map { Elements.field("cause", "Cause", $0) } ?? "",
            ]
        )
        if case .failed(let reason)? = report.list {
            return Elements.section("Messages", form + Elements.unreachable("unreachable", reason))
        }
        let rows = report.failures.map { failure -> [HTML] in
            [
                frame.link("/failures/\(failure.id)", "\(failure.id)"),
                failure.state == .waiting ? Elements.state(.late, "waiting") : Elements.state(.stuck, "failed"),
                failure.record.map { frame.link(Link.record($0.model, $0.id), HTML(escaping: failure.key ?? "")) }
                    ?? Elements.text(failure.key),
                Elements.text(failure.eventType),
                frame.link(
                    Link.messages(failure.source.topic, partition: failure.source.partition, offset: failure.offset),
                    "\(failure.source.topic)/\(failure.source.partition) @ \(Format.number(failure.offset))"
                ),
                "\(failure.attempts)", Elements.time(failure.createdAt),
                "<span class=\"cause\">\(failure.errorMessage)</span>",
            ]
        }
        let table = Elements.table(
            "Messages that failed",
            [
                .number("Failure"), .init("State"), .init("Key"), .init("Event"), .init("Message"), .number("Attempts"),
                .init("Recorded"), .init("Error"),
            ],
            rows,
            empty: "No message matches.",
            selectable: call.may(.operate) ? report.failures.map { "\($0.id)" } : nil
        )
        let bulk =
            rows.isEmpty
            ? table
            : Forms(call: call)
                .bulk(
                    "/failures/actions",
                    [("retry", "Retry", "r"), ("skip", "Skip", "s"), ("delete", "Delete", "d")],
                    filter: ["topic", "error", "key", "state", "cause"].map { ($0, call.query[$0]) },
                    all: rows.count < 2 ? nil : "all that match",
                    table
                )
        let more = report.next.map { next -> HTML in
            "<p>\(frame.link("/failures?\(call.query.with([("after", "\(next)"), ("list", "1")]).encoded)", "Next messages"))</p>"
        }
        return Elements.section("Messages", "\(form)\(bulk)\(more)")
    }

    private static func deadLetters(_ call: Call, _ frame: Frame) -> HTML {
        let topics = Set(call.system.consumer?.outline.topics.compactMap(\.deadLetters) ?? []).sorted()
        guard !topics.isEmpty else { return "" }
        let forms = Forms(call: call)
        let rows = topics.map { topic -> [HTML] in
            [
                frame.link(Link.messages(topic), HTML(escaping: topic)),
                call.may(.operate) ? forms.button("/failures/replay", "Apply what is in it", [("topic", topic)]) : "",
            ]
        }
        return Elements.section(
            "Dead letters",
            Elements.table("Dead-letter topics", [.init("Topic"), .init("")], rows, empty: "")
        )
    }
}
