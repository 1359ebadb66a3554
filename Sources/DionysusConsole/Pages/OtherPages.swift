import Dionysus
import Hummingbird

extension Page {
    /// What an action did, or how far it is.
    static func action(_ progress: ActionProgress, _ frame: Frame, _ call: Call) -> Page {
        let verdict: Verdict
        if progress.isFinished {
            let isClean = progress.problem == nil && progress.results.allSatisfy(\.isDone)
            verdict = Verdict(
                isClean ? .well : .late,
                "\(progress.title): \(progress.summary).",
                progress.returnPath,
                "Go back"
            )
        } else {
            verdict = Verdict(
                .idle,
                "\(progress.title): \(Format.number(progress.handled)) of \(Format.number(progress.matched)) so far."
            )
        }
        let rows = progress.results.map { result -> [HTML] in
            [
                result.path.map { frame.link($0, HTML(escaping: result.subject)) } ?? HTML(escaping: result.subject),
                result.isDone ? Elements.state(.well, result.outcome) : Elements.state(.late, result.outcome),
            ]
        }
        let stop: HTML =
            progress.isFinished || !call.may(.operate)
            ? "" : Forms(call: call).button("/actions/\(progress.id)/stop", "Stop", class: "plain")
        let share = progress.matched > 0 ? Double(progress.handled) / Double(progress.matched) * 100 : 100
        let bar: HTML = progress.isFinished ? "" : "<p>\(Page.progress(min(share, 100))) \(stop)</p>"
        let note: HTML =
            progress.handled > progress.results.count
            ? "<p class=\"note\">\(Format.number(progress.results.count)) of \(Format.number(progress.handled)) results are kept.</p>"
            : ""
        return Page(
            "Action",
            verdict: verdict,
            isLive: !progress.isFinished,
            refresh: progress.isFinished ? nil : 2
        ) {
            """
            <h1>\(progress.title)</h1>\(bar)\(Elements.table("Results", [.init("What"), .init("Outcome")], rows, empty: "Nothing yet."))\(note)\
            <p>\(frame.link(progress.returnPath, "Back"))</p>
            """
        }
    }

    /// Asks before many things are changed.
    static func confirm(
        _ question: String,
        _ meaning: String,
        _ path: String,
        _ button: String,
        _ fields: [(String, String)],
        back: String,
        tab: Tab?,
        _ frame: Frame,
        _ call: Call
    ) -> Page {
        Page("Confirm", tab: tab, verdict: Verdict(.idle, question)) {
            """
            <section><h1>\(question)</h1><p>\(meaning)</p><p class="actions">\
            \(Forms(call: call).button(path, button, fields + [("confirm", "1")])) \(frame.link(back, "No, go back"))</p></section>
            """
        }
    }

    static func actions(_ all: [ActionProgress], _ frame: Frame) -> Page {
        let rows = all.map { action -> [HTML] in
            [
                frame.link("/actions/\(action.id)", HTML(escaping: action.title)), HTML(escaping: action.actor),
                Elements.time(action.startedAt), HTML(escaping: action.summary),
            ]
        }
        let running = all.filter { !$0.isFinished }.count
        return Page(
            "Actions",
            verdict: Verdict(
                .idle,
                running == 0 ? "No action is running." : "\(Format.plural(running, "action")) running."
            ),
            Elements.section(
                "Actions",
                Elements.table(
                    "Actions",
                    [.init("Action"), .init("Who"), .init("When"), .init("Outcome")],
                    rows,
                    empty: "Nothing has been changed since this console started."
                )
            )
        )
    }

    /// What was found for a text that leads to no single place.
    static func search(_ text: String, _ links: [(path: String, title: String)], _ frame: Frame) -> Page {
        let items = links.map { "<li>\(frame.link($0.path, HTML(escaping: $0.title)))</li>" as HTML }
        return Page(
            "Search",
            verdict: Verdict(
                .idle,
                links.isEmpty ? "Nothing is meant by “\(text)”." : "“\(text)” may mean one of these."
            ),
            links.isEmpty
                ? """
                <p class="empty">Write a record such as <code>Rental 42</code>, a key such as <code>Rental:42</code>, \
                a message such as <code>v3_rentals/0/18204</code>, or the number of a row or a failure.</p>
                """ : "<ul>\(items)</ul>"
        )
    }

    static func problem(_ status: HTTPResponse.Status, _ text: String) -> Page {
        let state: Elements.State = status.code >= 500 ? .stuck : .idle
        let first = text.prefix(1).uppercased() + text.dropFirst()
        return Page(
            "\(status.code)",
            verdict: Verdict(state, first.hasSuffix(".") ? first : first + "."),
            status: status,
            "<h1>\(status.reasonPhrase)</h1>"
        )
    }

    static func login(_ frame: Frame, problem: String? = nil, next: String) -> Page {
        Page(
            "Log in",
            verdict: Verdict(problem == nil ? .idle : .stuck, problem ?? "This console asks who you are."),
            status: problem == nil ? .ok : .unauthorized,
            """
            <form class="stack" method="post" action="\(frame.base)/login"><input type="hidden" name="next" value="\(next)">\
            <label>Token <input type="password" name="token" autocomplete="current-password" autofocus required></label>\
            <button>Log in</button></form>
            """
        )
    }

    static let keys = Page(
        "Keys",
        verdict: Verdict(.idle, "Everything works with the keyboard alone."),
        Elements.pairs(
            [
                ("/", "search"),
                ("g then v, o, f, m, c, r, s", "overview, outbox, failures, messages, consumers, runs, system"),
                ("j, k", "next and previous row"),
                ("enter", "open the row"), ("x", "select the row"), ("r", "retry what is selected"),
                ("d", "discard or delete what is selected"), ("s", "skip what is selected"),
                ("t", "light, dark, automatic"), ("l", "live or paused"),
                ("?", "this list"),
            ]
            .map { ($0.0, HTML(escaping: $0.1)) }
        )
    )
}
