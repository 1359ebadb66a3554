import Dionysus
import DionysusConsumer

extension Page {
    /// - Parameter report: What was found; nil before anything is looked for.
    static func messages(_ report: Part<MessageReport>?, _ frame: Frame, _ call: Call) -> Page {
        let query = call.query
        let topics = call.system.topics
        let form = Elements.filter(
            "\(frame.base)/messages",
            [
                Elements.select("topic", "Topic", topics.map { ($0, $0) }, query["topic"] ?? ""),
                Elements.field("partition", "Partition", query["partition"], placeholder: "all"),
                Elements.field("from", "From", query["from"], placeholder: "latest-50, earliest, offset or time"),
                Elements.field("key", "Key", query["key"], placeholder: "Rental:42"),
                Elements.field("header", "Header", query["header"], placeholder: "name=text"),
                Elements.field("value", "Member", query["value"], placeholder: "account.name=Sea"),
            ],
            more: """
                <button class="plain" formaction="\(frame.base)/messages/download">Download</button> \
                <button class="plain" formaction="\(frame.base)/messages/tail">Follow</button>
                """
        )
        switch report {
        case nil:
            return Page(
                "Messages",
                tab: .messages,
                verdict: Verdict(
                    .idle,
                    topics.isEmpty ? "No topic is declared." : "Choose a topic, and where to look."
                ),
                "\(form)<p class=\"empty\">A search looks at no more than 20,000 messages at a time and says how far it looked.</p>"
            )
        case .failed(let reason)?:
            return Page(
                "Messages",
                tab: .messages,
                verdict: Verdict(.stuck, "The messages can't be read."),
                form + Elements.unreachable("unreachable", reason)
            )
        case .read(let found)?:
            return Page("Messages", tab: .messages, verdict: verdict(found)) {
                "\(form)\(found.messages.map { message($0, frame, call) })\(rest(found, frame, call))"
            }
        }
    }

    /// What comes to a topic, the newest first.
    static func tail(_ found: Part<[ReadMessage]>, _ topic: String, _ frame: Frame, _ call: Call) -> Page {
        let back = call.query.encoded
        let links: HTML = """
            <p>\(frame.link("/messages?\(back)", "Look for messages")) · <span class="note">The newest messages; new ones come \
            on top.</span></p>
            """
        switch found {
        case .failed(let reason):
            return Page(
                "Messages of \(topic)",
                tab: .messages,
                verdict: Verdict(.stuck, "The messages can't be read."),
                isLive: true,
                links + Elements.unreachable("unreachable", reason)
            )
        case .read(let messages):
            let newest = messages.first.map { "the newest at \(Format.time($0.message.timestamp)) UTC" }
            return Page(
                "Messages of \(topic)",
                tab: .messages,
                verdict: Verdict(.idle, "\(topic): \(newest ?? "no message matches yet")."),
                isLive: true,
                refresh: 5,
                "\(links)\(messages.map { message($0, frame, call) })"
            )
        }
    }

    private static func verdict(_ report: MessageReport) -> Verdict {
        let times = report.first.map { first in
            report.last.map { " from \(Format.time(first)) to \(Format.time($0)) UTC" } ?? ""
        }
        let kept = report.spans.map { $0.end - $0.first }.reduce(0, +)
        return Verdict(
            .idle,
            "\(Format.plural(report.messages.count, "message")) found; looked at \(Format.number(report.looked)) of "
                + "\(Format.number(kept))\(times ?? "")."
        )
    }

    private static func message(_ read: ReadMessage, _ frame: Frame, _ call: Call) -> HTML {
        let (message, mask) = (read.message, call.core.mask)
        let key = read.keyText
        let parts = key?.split(separator: ":", maxSplits: 1) ?? []
        let keyHTML =
            parts.count == 2
            ? frame.link(Link.record(String(parts[0]), String(parts[1])), HTML(escaping: key ?? ""))
            : Elements.code(key)
        let what = message.content == .tombstone ? "tombstone" : message.event ?? "\(message.value?.count ?? 0) bytes"
        let headers = message.headers.map { header -> HTML in
            let value = mask.applied(to: String(decoding: header.value, as: UTF8.self), of: header.name)
            return "<dt>\(header.name)</dt><dd><code>\(value)</code></dd>"
        }
        let place = [
            ("topic", message.source.topic), ("partition", "\(message.source.partition)"),
            ("offset", "\(message.offset)"),
        ]
        let again: HTML =
            call.may(.operate)
            ? Forms(call: call).button("/messages/republish", "Publish again…", place, class: "plain") : ""
        return """
            <details class="message"><summary><span class="offset">\(message.source.partition) @ \
            \(Format.number(message.offset))</span> \(Elements.clock(message.timestamp)) \(keyHTML) <span>\(what)</span></summary>\
            <dl class="pairs">\(headers)</dl><pre tabindex="0">\(Payload(read, mask).pretty)</pre>\(again)</details>
            """
    }

    private static func rest(_ report: MessageReport, _ frame: Frame, _ call: Call) -> HTML {
        let spans = report.spans.map { span -> [HTML] in
            [
                "\(span.partition.partition)", HTML(escaping: Format.number(span.first)),
                HTML(escaping: Format.number(span.next)), HTML(escaping: Format.number(span.end)),
                HTML(escaping: Format.number(span.count)),
            ]
        }
        let next = report.next.map { partition, offset -> HTML in
            let query = call.query.with([("partition", "\(partition)"), ("from", "\(offset)")]).encoded
            return "<p>\(frame.link("/messages?\(query)", "Go on from offset \(Format.number(offset))"))</p>"
        }
        let hint: HTML =
            report.isBounded && report.next == nil
            ? "<p class=\"note\">Not everything was looked at. Choose a partition to go on from where it ended.</p>"
            : ""
        return Elements.section(
            "How far it looked",
            Elements.table(
                "Partitions",
                [.number("Partition"), .number("From"), .number("To"), .number("End"), .number("Messages")],
                spans,
                empty: "The topic has no partition."
            ) + hint + (next ?? "")
        )
    }
}
