import Dionysus
import DionysusConsumer

extension Page {
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
