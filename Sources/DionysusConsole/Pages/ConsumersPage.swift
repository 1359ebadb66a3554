import Dionysus
import DionysusConsumer

extension Page {
    static func consumers(_ report: ConsumerReport, _ frame: Frame, _ call: Call) -> Page {
        Page("Consumers", tab: .consumers, verdict: verdict(report), isLive: true) {
            "\(members(report))\(partitions(report, frame, call))\(topicTable(report, frame, call))\(projectionsLink(frame, call))"
        }
    }

    private static func verdict(_ report: ConsumerReport) -> Verdict {
        guard let lag = report.lag.value else {
            return Verdict(.stuck, "The group \(report.group) can't be looked at: \(report.lag.problem ?? "unknown").")
        }
        if let loss = lag.first(where: \.isOutOfRange) {
            return Verdict(
                .stuck,
                "The group has lost its place in \(loss.partition): \(loss.loss ?? "its position isn't in the log")."
            )
        }
        let paused = lag.filter { report.paused.value?[$0.partition] != nil }
        if let first = paused.first {
            let held = paused.compactMap(\.lag).reduce(0, +)
            let names = paused.count == 1 ? "\(first.partition) is" : "\(Format.number(paused.count)) partitions are"
            return Verdict(.late, "\(names) paused; \(Format.plural(Int(held), "message")) of them wait.")
        }
        let behind = lag.compactMap(\.lag).reduce(0, +)
        let count = report.consumers.value?.count ?? 0
        if count == 0 {
            return behind == 0
                ? Verdict(.idle, "No consumer of \(report.group) is running; everything is applied.")
                : Verdict(
                    .late,
                    "No consumer of \(report.group) is running; \(Format.plural(Int(behind), "message")) wait."
                )
        }
        let age = lag.compactMap { $0.age?.inSeconds }.max() ?? 0
        let who = "\(Format.plural(count, "consumer")) of \(report.group)"
        return behind == 0
            ? Verdict(.well, "\(who) \(count == 1 ? "has" : "have") applied everything.")
            : Verdict(
                age > 30 ? .late : .well,
                "\(who) \(count == 1 ? "is" : "are") \(Format.plural(Int(behind), "message")) behind, by \(Format.duration(age))."
            )
    }

    private static func members(_ report: ConsumerReport) -> HTML {
        if report.consumers.value == nil {
            return Elements.section("Consumers", Elements.unreachable("unreachable", report.consumers.problem ?? ""))
        }
        let rows = (report.consumers.value ?? [])
            .map { consumer -> [HTML] in
                [HTML(escaping: consumer.process), Elements.time(consumer.startedAt), Elements.time(consumer.seenAt)]
            }
        return Elements.section(
            "Consumers",
            stale(report.consumers.problem)
                + Elements.table(
                    "Consumers",
                    [.init("Process"), .init("Since"), .init("Seen")],
                    rows,
                    empty: "No consumer is running. Start consume."
                ),
            aside: "group <code>\(report.group)</code>"
        )
    }

    private static func partitions(_ report: ConsumerReport, _ frame: Frame, _ call: Call) -> HTML {
        guard let lag = report.lag.value else {
            return Elements.section("Partitions", Elements.unreachable("unreachable", report.lag.problem ?? ""))
        }
        let forms = Forms(call: call)
        let rows = lag.sorted { ($1.lag ?? .max, $0.partition) < ($0.lag ?? .max, $1.partition) }
            .map { partition -> [HTML] in
                let paused = report.paused.value?[partition.partition]
                let place = [
                    ("topic", partition.partition.topic), ("partition", "\(partition.partition.partition)"),
                ]
                let name = "\(partition.partition.topic)/\(partition.partition.partition)"
                let action: HTML =
                    !call.may(.operate)
                    ? ""
                    : paused == nil
                        ? forms.button("/consumers/pause", "Pause", place, class: "plain", of: name)
                        : forms.button("/consumers/resume", "Resume", place, of: name)
                let pause = paused.map { paused -> HTML in
                    "\(Elements.state(.late, "paused")) by \(paused.actor) \(Elements.time(paused.since))"
                }
                let state: HTML =
                    pause
                    ?? (partition.isOutOfRange
                        ? Elements.state(.stuck, "lost its place")
                        : partition.lag == 0
                            ? Elements.state(.well, "applied")
                            : (partition.age?.inSeconds ?? 0) > 30
                                ? Elements.state(.late, "behind") : Elements.state(.well, "on its way"))
                let path = Link.messages(
                    partition.partition.topic,
                    partition: partition.partition.partition,
                    offset: partition.position
                )
                return [
                    frame.link(path, HTML(escaping: name)), state,
                    Elements.text(partition.lag.map { Format.number($0) }),
                    Elements.text(partition.age.map { Format.duration($0) }),
                    HTML(escaping: Format.number(partition.position)),
                    HTML(escaping: Format.number(partition.endOffset)), action,
                ]
            }
        let unknown: HTML =
            if case .failed(let reason) = report.paused { Elements.unreachable("pauses", reason) } else { "" }
        return Elements.section(
            "Partitions",
            stale(report.lag.problem) + unknown
                + Elements.table(
                    "Partitions",
                    [
                        .init("Partition"), .init("State"), .number("Behind, messages"), .number("Behind, age"),
                        .number("Position"), .number("End"), .init(""),
                    ],
                    rows,
                    empty: "None of the topics exists yet. Run topics --create, or start the relay."
                )
        )
    }

    /// What can be done with a topic as a whole.
    private static func actions(_ topic: ConsumerOutline.Topic, _ call: Call) -> HTML {
        guard call.may(.operate), !topic.isPattern, call.system.broker != nil else { return "" }
        let forms = Forms(call: call)
        return """
            \(forms.button("/consumers/pause", "Pause", [("topic", topic.name)], class: "plain", of: topic.name)) \
            \(forms.button("/consumers/resume", "Resume", [("topic", topic.name)], class: "plain", of: topic.name))\
            <details><summary>Move…</summary><form method="post" action="\(forms.base)/consumers/move">\(forms.token)\
            <input type="hidden" name="topic" value="\(topic.name)">\
            \(Elements.field("partition", "Partition", nil, placeholder: "all")) \
            \(Elements.field("to", "To", nil, placeholder: "earliest, latest, offset or time")) \
            <label><input type="checkbox" name="forget_events" value="1"> also handle events again that the event log has</label> \
            <button>Say what it means</button></form></details>
            """
    }

    private static func topicTable(_ report: ConsumerReport, _ frame: Frame, _ call: Call) -> HTML {
        let actual = Dictionary(
            (report.topics.value ?? []).map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let rows = report.declared.map { topic -> [HTML] in
            let found = actual[topic.name]
            let exists: HTML =
                topic.isPattern
                ? "pattern"
                : found?.partitions.map { "\(Format.plural(Int($0), "partition"))" } ?? Elements.state(.late, "missing")
            let drift = found?.differences.map { "\($0.setting): \($0.actual), declared \($0.declared)" } ?? []
            return [
                topic.isPattern
                    ? "<code>/\(topic.name)/</code>"
                    : frame.link(Link.messages(topic.name), HTML(escaping: topic.name)),
                exists, HTML(escaping: topic.onFailure), Elements.text(topic.options.joined(separator: ", ")),
                drift.isEmpty ? "as declared" : "<b class=\"late\">\(drift.joined(separator: "; "))</b>",
                actions(topic, call),
            ]
        }
        return Elements.section(
            "Topics",
            stale(report.topics.problem)
                + Elements.table(
                    "Topics",
                    [
                        .init("Topic"), .init("Exists"), .init("Messages that fail"), .init("Options"),
                        .init("Settings"), .init(""),
                    ],
                    rows,
                    empty: "No topic is declared."
                )
        )
    }
}
