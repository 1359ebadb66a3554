import Dionysus
import DionysusEvents

extension Page {
    static func projections(_ list: Part<[ProjectionStatus]>) -> Page {
        let body: HTML =
            switch list {
            case .failed(let reason): Elements.unreachable("unreachable", reason)
            case .read(let list): projectionTable(list)
            }
        return Page("Projections", tab: .consumers, verdict: verdict(list), isLive: true) {
            Elements.section("Projections", body)
        }
    }

    /// Leads there where the consumer follows events.
    static func projectionsLink(_ frame: Frame, _ call: Call) -> HTML {
        let models = call.system.consumer?.outline.replicas.map(\.model) ?? []
        guard models.contains(StreamEvent.modelName) else { return "" }
        return "<p>\(frame.link("/projections", "Projections and their rebuilds"))</p>"
    }

    private static func projectionTable(_ list: [ProjectionStatus]) -> HTML {
        Elements.table(
            "Projections",
            [
                .init("Projection"), .number("Version"), .number("Position"), .number("Of"), .number("Behind"),
                .init("By"), .init("Rebuild"),
            ],
            list.map { status in
                let rebuild: HTML =
                    status.rebuild.map { rebuild in
                        "\(progress(status.rebuiltPercent)) version \(rebuild.version), at \(Format.number(rebuild.position))"
                    } ?? Elements.text(nil)
                return [
                    HTML(escaping: status.name), HTML(escaping: "\(status.version)"),
                    HTML(escaping: Format.number(status.position)), HTML(escaping: Format.number(status.last)),
                    HTML(escaping: Format.plural(Int(status.lag), "event")),
                    Elements.text(status.lag > 0 ? Format.duration(status.lagSeconds) : nil), rebuild,
                ]
            },
            empty: "There is no projection in this database. An application with streams of events creates them."
        )
    }

    private static func verdict(_ list: Part<[ProjectionStatus]>) -> Verdict {
        guard let list = list.value else { return Verdict(.stuck, "The projections can't be read.") }
        guard let worst = list.max(by: { $0.lagSeconds < $1.lagSeconds }) else {
            return Verdict(.idle, "There is no projection.")
        }
        guard worst.lag > 0 else {
            let have = list.count == 1 ? "has" : "have"
            return Verdict(.well, "\(Format.plural(list.count, "projection")) \(have) applied everything.")
        }
        return Verdict(
            worst.lagSeconds > 30 ? .late : .well,
            "\(worst.name) is \(Format.plural(Int(worst.lag), "event")) behind, by \(Format.duration(worst.lagSeconds))."
        )
    }
}
