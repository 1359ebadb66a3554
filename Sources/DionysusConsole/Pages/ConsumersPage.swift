import Dionysus
import DionysusConsumer

extension Page {
    static func consumers(_ report: ConsumerReport, _ frame: Frame, _ call: Call) -> Page {
        Page("Consumers", tab: .consumers, verdict: verdict(report), isLive: true) {
            "\(members(report))\(partitions(report, frame))\(topicTable(report, frame))\(projectionsLink(frame, call))"
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

    private static func partitions(_ report: ConsumerReport, _ frame: Frame) -> HTML {
        guard let lag = report.lag.value else {
            return Elements.section("Partitions", Elements.unreachable("unreachable", report.lag.problem ?? ""))
        }
        let rows = lag.sorted { ($1.lag ?? .max, $0.partition) < ($0.lag ?? .max, $1.partition) }
            .map { partition -> [HTML] in
                let state: HTML =
                    partition.isOutOfRange
                    ? Elements.state(.stuck, "lost its place")
                    : partition.lag == 0
                        ? Elements.state(.well, "applied")
                        : (partition.age?.inSeconds ?? 0) > 30
                            ? Elements.state(.late, "behind") : Elements.state(.well, "on its way")
                let path = Link.messages(
                    partition.partition.topic,
                    partition: partition.partition.partition,
                    offset: partition.position
                )
                return [
                    frame.link(path, "\(partition.partition.topic)/\(partition.partition.partition)"), state,
                    Elements.text(partition.lag.map { Format.number($0) }),
                    Elements.text(partition.age.map { Format.duration($0) }),
                    HTML(escaping: Format.number(partition.position)),
                    HTML(escaping: Format.number(partition.endOffset)),
                ]
            }
        return Elements.section(
            "Partitions",
            stale(report.lag.problem)
                + Elements.table(
                    "Partitions",
                    [
                        .init("Partition"), .init("State"), .number("Behind, messages"), .number("Behind, age"),
                        .number("Position"), .number("End"),
                    ],
                    rows,
                    empty: "None of the topics exists yet. Run topics --create, or start the relay."
                )
        )
    }

    private static func topicTable(_ report: ConsumerReport, _ frame: Frame) -> HTML {
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
            ]
        }
        return Elements.section(
            "Topics",
            stale(report.topics.problem)
                + Elements.table(
                    "Topics",
                    [
                        .init("Topic"), .init("Exists"), .init("Messages that fail"), .init("Options"),
                        .init("Settings"),
                    ],
                    rows,
                    empty: "No topic is declared."
                )
        )
    }
}
