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
                HTML(escaping: Format.number(group.count)),
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
                        .init("First"), .init("Last"), .init(""),
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

    static func failure(_ detail: FailureDetail, _ frame: Frame, _ call: Call) -> Page {
        let (failure, mask) = (detail.failure, call.core.mask)
        let forms = Forms(call: call)
        var buttons = HTML.none
        if call.may(.operate) {
            buttons = FailureAction.allCases
                .map { action -> HTML in
                    forms.button(
                        "/failures/actions",
                        "\(action.verb) this message",
                        [("id", "\(failure.id)"), ("action", action.rawValue)],
                        class: action == .retry ? nil : "plain"
                    )
                }
                .joined(separator: " ")
        }
        let facts = Elements.pairs([
            (
                "Key",
                failure.record.map { frame.link(Link.record($0.model, $0.id), HTML(escaping: failure.key ?? "")) }
                    ?? Elements.text(failure.key)
            ),
            ("Event", Elements.text(failure.eventType)),
            (
                "Message",
                frame.link(
                    Link.messages(failure.source.topic, partition: failure.source.partition, offset: failure.offset),
                    "\(failure.source.topic)/\(failure.source.partition) @ \(Format.number(failure.offset))"
                )
            ),
            ("Version", Elements.text(failure.eventVersion.map(String.init))),
            ("Event time", Elements.time(failure.eventTime)),
            ("Recorded", Elements.time(failure.createdAt)), ("Last retry", Elements.time(failure.retriedAt)),
            ("Attempts", "\(failure.attempts)"), ("Kind", "<code>\(failure.errorClass)</code>"),
            ("Error", HTML(escaping: failure.errorMessage)),
            ("Details", mask.isEmpty ? Elements.text(failure.errorDetails) : "<span class=\"none\">masked</span>"),
        ])
        let waiting: HTML =
            detail.waiting.isEmpty
            ? ""
            : Elements.section(
                "Waiting behind it",
                Elements.table(
                    "Messages that wait",
                    [.number("Failure"), .init("Event"), .number("Offset"), .init("Recorded")],
                    detail.waiting.map { other in
                        [
                            frame.link("/failures/\(other.id)", "\(other.id)"), Elements.text(other.eventType),
                            HTML(escaping: Format.number(other.offset)), Elements.time(other.createdAt),
                        ]
                    },
                    empty: ""
                )
            )
        let payload = Payload(detail.message.value, mask)
        let text = Payload(detail.readable, mask).pretty
        let edit: HTML =
            call.may(.operate) && payload.document != nil
            ? """
            <details><summary>Edit and retry</summary><form method="post" action="\(frame.base)/failures/\(failure.id)/edit">\
            \(forms.token)<label>Value <textarea name="payload" rows="20" spellcheck="false">\(payload.pretty)</textarea></label>\
            <p class="note">The original is kept in the audit log. You see the difference before anything is applied.</p>\
            <button>Show the difference</button></form></details>
            """ : ""
        let headers = Elements.table(
            "Headers",
            [.init("Header"), .init("Value")],
            detail.message.headers.map { header in
                let value = mask.applied(to: String(decoding: header.value, as: UTF8.self), of: header.name)
                return [HTML(escaping: header.name), Elements.code(value)]
            },
            empty: "It has no headers."
        )
        let name = failure.key ?? "the message"
        let verdict =
            failure.state == .waiting
            ? Verdict(.late, "\(name) waits behind an earlier message of its key that failed.")
            : Verdict(.stuck, "\(name) could not be applied: \(failure.errorMessage)")
        let parts: [HTML] = [
            facts, "<p class=\"actions\">\(buttons)</p>", waiting,
            Elements.section("Value", "<pre tabindex=\"0\">\(text)</pre>\(edit)"), Elements.section("Headers", headers),
            replica(detail.replica, mask),
        ]
        return Page("Failure \(failure.id)", tab: .failures, verdict: verdict) {
            "<h1>Failure \(failure.id)</h1>\(parts)"
        }
    }

    private static func replica(_ part: Part<[ReplicaRow]>?, _ mask: Mask) -> HTML {
        switch part {
        case nil: return ""
        case .failed(let reason)?:
            return Elements.section("The replica's row", Elements.unreachable("unreachable", reason))
        case .read(let rows)?:
            guard let row = rows.first else {
                return Elements.section(
                    "The replica's row",
                    "<p class=\"empty\">The replica has no row of this record.</p>"
                )
            }
            let isHidden = !mask.isEmpty
            return Elements.section(
                "The replica's row",
                Elements.table(
                    "Row of \(row.table)",
                    [.init("Column"), .init("Value")],
                    row.values.map { value in
                        let isWhole = isHidden && value.column.hasSuffix("data")
                        let names: [String] = [value.column] + value.attributes
                        let text = isWhole ? Mask.hidden : mask.applied(to: value.text, of: names)
                        return [HTML(escaping: value.column), Elements.code(text)]
                    },
                    empty: ""
                ),
                aside: "<code>\(row.table)</code>"
            )
        }
    }

    /// Shows what an edit changes before it is applied.
    static func difference(_ id: Int64, _ before: String, _ after: String, _ frame: Frame, _ call: Call) -> Page {
        let forms = Forms(call: call)
        let lines = TextDifference(before, after).lines
            .map { line -> HTML in
                switch line {
                case .same(let text): "<span>  \(text)\n</span>"
                case .removed(let text): "<del>- \(text)\n</del>"
                case .added(let text): "<ins>+ \(text)\n</ins>"
                }
            }
        return Page(
            "Edit failure \(id)",
            tab: .failures,
            verdict: Verdict(.idle, before == after ? "Nothing is changed." : "This is what would be applied instead.")
        ) {
            """
            <h1>Edit failure \(id)</h1><pre class="difference" tabindex="0">\(lines)</pre>\
            \(forms.button("/failures/\(id)/edit", "Apply this value", [("payload", after), ("confirm", "1")]))\
            <p>\(frame.link("/failures/\(id)", "Back without applying"))</p>
            """
        }
    }
}

/// The lines in which two texts differ.
struct TextDifference: Sendable {
    enum Line: Sendable, Hashable {
        case same(String)
        case removed(String)
        case added(String)
    }

    let lines: [Line]

    init(_ before: String, _ after: String) {
        let old = before.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let new = after.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard old.count <= 3_000, new.count <= 3_000 else {
            lines = old.map(Line.removed) + new.map(Line.added)
            return
        }
        let difference = new.difference(from: old)
        let removed = Set(difference.removals.map(\.place))
        let added = Set(difference.insertions.map(\.place))
        var (result, i, j): ([Line], Int, Int) = ([], 0, 0)
        while i < old.count || j < new.count {
            if i < old.count, removed.contains(i) {
                result.append(.removed(old[i]))
                i += 1
            } else if j < new.count, added.contains(j) {
                result.append(.added(new[j]))
                j += 1
            } else if i < old.count {
                result.append(.same(old[i]))
                i += 1
                j += 1
            } else {
                j += 1
            }
        }
        lines = result
    }
}

extension CollectionDifference.Change {
    fileprivate var place: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}
