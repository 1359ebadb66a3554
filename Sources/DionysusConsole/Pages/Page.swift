import Dionysus
import Hummingbird

/// A page: its first line says in words how things are.
struct Page: Sendable {
    /// The page of the navigation that it belongs to.
    enum Tab: String, Sendable, CaseIterable {
        case overview = "Overview"
        case outbox = "Outbox"
        case failures = "Failures"
        case messages = "Messages"
        case consumers = "Consumers"
        case runs = "Runs"
        case system = "System"

        var path: String { self == .overview ? "/" : "/\(rawValue.lowercased())" }
        /// The letter that leads to it behind `g`.
        var key: Character { self == .overview ? "v" : rawValue.lowercased().first ?? "v" }
    }

    let title: String
    var tab: Tab?
    let verdict: Verdict
    let body: HTML
    /// Whether it changes by itself.
    var isLive = false
    var status = HTTPResponse.Status.ok
    /// When to load it again without a script, in seconds.
    var refresh: Int?

    init(
        _ title: String,
        tab: Tab? = nil,
        verdict: Verdict,
        isLive: Bool = false,
        status: HTTPResponse.Status = .ok,
        refresh: Int? = nil,
        _ body: HTML
    ) {
        self.title = title
        self.tab = tab
        self.verdict = verdict
        self.isLive = isLive
        self.status = status
        self.refresh = refresh
        self.body = body
    }
}

/// A page's part that changes.
struct LiveFragment: Sendable, Hashable {
    let html: String
}

/// What stands around every page.
struct Frame: Sendable {
    let core: ConsoleCore
    let identity: Identity?
    let formToken: String
    /// The page's path and query, without the base path.
    let address: String
    /// What needs somebody, for the navigation.
    var badges: [Page.Tab: Int] = [:]

    var base: String { core.settings.basePath }

    /// A link to a page.
    func link(_ path: String, _ title: HTML) -> HTML { "<a href=\"\(base)\(path)\">\(title)</a>" }

    /// What changes of a page.
    func main(_ page: Page) -> HTML {
        let help = page.verdict.link.map { " \(link($0.path, HTML(escaping: $0.title)))" as HTML }
        return """
            <p class="verdict \(page.verdict.state.rawValue)" role="status"><span class="shape" aria-hidden="true"></span>\
            <strong>\(page.verdict.text)</strong>\(help)</p>\(page.body)
            """
    }

    func document(_ page: Page) -> HTML {
        let name = core.system.name
        let navigation = Page.Tab.allCases.map { tab -> HTML in
            let count = badges[tab] ?? 0
            let badge: HTML =
                count > 0 ? "<sup title=\"\(count) need somebody\">\(Format.number(count))</sup>" : ""
            let current: HTML = page.tab == tab ? " aria-current=\"page\"" : ""
            return """
                <a href="\(base)\(tab.path)"\(current) data-key="\(String(tab.key))">\(tab.rawValue)\(badge)</a>
                """
        }
        let refresh = page.refresh.map {
            "<noscript><meta http-equiv=\"refresh\" content=\"\($0)\"></noscript>" as HTML
        }
        let live: HTML =
            page.isLive
            ? " data-live=\"\(base)/live?page=\(Link.encoded(address))\" data-page=\"\(base)\(address)\"" : ""
        let readOnly = core.settings.isReadOnly ? " · read-only" : ""
        let who: HTML =
            switch identity?.proof {
            case .session:
                """
                 · \(identity?.name) <form class="inline" method="post" action="\(base)/logout">\
                <input type="hidden" name="csrf" value="\(formToken)"><button class="plain">Log out</button></form>
                """
            case .proxy, .bearer: " · \(identity?.name)"
            case .machine, nil: ""
            }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>\(page.title) · \(name) · Dionysus</title>\
            <meta name="viewport" content="width=device-width, initial-scale=1">\(refresh)\
            <link rel="stylesheet" href="\(base)/assets/console.css"><link rel="icon" href="\(base)/assets/icon.svg">\
            <script src="\(base)/assets/console.js" defer></script></head>
            <body data-base="\(base)"><a class="skip" href="#main">Skip to the page</a>
            <header><div class="brand"><a href="\(base)/">Dionysus</a> <span>\(name)</span></div>
            <nav aria-label="Pages">\(navigation)</nav>
            <form class="search" method="get" action="\(base)/search" role="search"><input type="search" name="q" \
            placeholder="record, key or offset" aria-label="Find a record, a message or a row" autocomplete="off"></form>
            <div class="tools"><button type="button" class="plain" id="theme" hidden>Theme</button>\
            <button type="button" class="plain" id="live" hidden>Live</button></div></header>
            <main id="main" tabindex="-1"\(live)>\(main(page))</main>
            <footer>\(core.system.location)\(readOnly)\(who) · <time datetime="\(Timestamp.now.iso8601(fractionDigits: 0))">\
            \(Format.time(.now)) UTC</time> · <a href="\(base)/keys">Keys</a></footer></body></html>
            """
    }
}
