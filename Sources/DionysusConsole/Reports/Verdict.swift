import Dionysus
import DionysusProducer

/// How everything is, in a sentence, with the one link that helps.
struct Verdict: Sendable, Hashable {
    let state: Elements.State
    let text: String
    /// Where to go next, without the base path.
    var link: (path: String, title: String)? { path.map { ($0, title) } }
    private let path: String?
    private let title: String

    init(_ state: Elements.State, _ text: String, _ path: String? = nil, _ title: String = "") {
        self.state = state
        self.text = text
        self.path = path
        self.title = title
    }

    /// Seconds after which something counts as late.
    private static let patience = 30.0

    /// What is worst comes first.
    init(of facts: OverviewReport.Facts, _ series: SampleSeries?) {
        if let start = Self.firstStart(facts) {
            self = start
        } else if let problem = facts.outbox?.problem ?? facts.failures?.problem ?? facts.lag?.problem {
            self.init(.stuck, "Something can't be reached: \(problem).", "/system", "Look at all checks")
        } else if let refused = facts.outbox?.value?.refused.first {
            self.init(
                .stuck,
                "\(refused.modelName) can't be published in \(refused.topic): \(refused.reason)",
                "/outbox",
                "Look at the outbox"
            )
        } else if let loss = facts.lag?.value?.first(where: \.isOutOfRange) {
            self.init(
                .stuck,
                "The replica has lost its place in \(loss.partition): \(loss.loss ?? "its position isn't in the log").",
                "/consumers",
                "Look at the consumers"
            )
        } else if facts.failed > 0 {
            let group = facts.failures?.value?.groups.first
            let oldest =
                facts.failures?.value?.oldest.map { "; the oldest has waited since \(Format.time($0)) UTC" } ?? ""
            let what = facts.failures?.value?.groups.count == 1 ? " of \(group?.topic ?? "")" : ""
            self.init(
                .stuck,
                "\(Format.plural(facts.failed, "message"))\(what) could not be applied\(oldest).",
                "/failures",
                "Look at the failures"
            )
        } else if facts.parked > 0 {
            self.init(
                .stuck,
                "\(Format.plural(facts.parked, "row")) of the outbox \(facts.parked == 1 ? "is" : "are") parked and not tried again.",
                "/outbox?state=parked",
                "Look at them"
            )
        } else if let late = Self.late(facts) {
            self = late
        } else {
            self.init(.well, Self.well(facts, series))
        }
    }

    private static func firstStart(_ facts: OverviewReport.Facts) -> Verdict? {
        let problems = [facts.outbox?.problem, facts.failures?.problem].compactMap(\.self)
        guard problems.contains(where: { $0.contains("run migrate") }) else { return nil }
        return Verdict(
            .idle,
            "Nothing is installed yet. Run migrate, then relay and consume.",
            "/system",
            "Look at all checks"
        )
    }

    private static func late(_ facts: OverviewReport.Facts) -> Verdict? {
        let processes = facts.processes.value
        if let age = facts.outbox?.value?.oldestAge, age > patience {
            let isRunning = processes.map { !$0.alive("relay").isEmpty } ?? false
            let why = processes?.isInstalled == true && !isRunning ? " No relay is running: start one." : ""
            return Verdict(
                .late,
                "Changes have waited to be published for \(Format.duration(age)).\(why)",
                "/outbox",
                "Look at the outbox"
            )
        }
        if let age = facts.lagAge, let lag = facts.lagMessages, lag > 0, age > patience {
            let isRunning = processes.map { !$0.alive("consumer").isEmpty } ?? false
            let why = processes?.isInstalled == true && !isRunning ? " No consumer is running: start one." : ""
            return Verdict(
                .late,
                "The replica is \(Format.duration(age)) behind, by \(Format.plural(Int(lag), "message")).\(why)",
                "/consumers",
                "Look at the consumers"
            )
        }
        return nil
    }

    private static func well(_ facts: OverviewReport.Facts, _ series: SampleSeries?) -> String {
        let latency = series?.latencyAverages["relay"]?.last { $0 != nil } ?? nil
        let published = latency.map { "Everything is published, within \(Format.duration($0)) on average" }
        let parts = [
            facts.hasProducer ? published ?? "Everything is published" : nil,
            facts.hasConsumer
                ? facts.lagMessages == 0
                    ? "everything is applied" : onTheWay(Int(facts.lagMessages ?? 0)) : nil,
        ]
        let text = parts.compactMap(\.self).joined(separator: ", and ")
        return text.isEmpty ? "There is nothing to look at." : text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    private static func onTheWay(_ count: Int) -> String {
        "\(Format.plural(count, "message")) \(count == 1 ? "is on its" : "are on their") way to the replica"
    }

    static func == (left: Verdict, right: Verdict) -> Bool { left.text == right.text && left.state == right.state }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
