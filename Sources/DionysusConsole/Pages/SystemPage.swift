import Dionysus
import DionysusConsumer

extension Page {
    static func system(_ report: SystemReport, _ audit: [AuditEntry]?, _ frame: Frame, _ call: Call) -> Page {
        let processes = (report.processes.value?.processes ?? [])
            .map { processRow($0, report.processes.value?.readAt ?? .now) }
        let parts: [HTML] = [
            checks(report), Elements.section("Processes", stale(report.processes.problem) + processTable(processes)),
            Elements.section("Declaration", DeclarationGraph(call.system).html), replicas(call), access(call),
            call.may(.admin) || call.identity.role == .admin ? auditTable(audit, frame) : "", settings(call),
        ]
        return Page("System", tab: .system, verdict: verdict(report), isLive: true) { "\(parts)" }
    }

    private static func verdict(_ report: SystemReport) -> Verdict {
        guard let checks = report.checks.value else {
            return Verdict(.late, "The checks haven't ended yet: \(report.checks.problem ?? "").")
        }
        let failed = checks.filter { !$0.faults.isEmpty }
        guard let first = failed.first else {
            let warning = checks.lazy.flatMap(\.warnings).first
            return warning.map { Verdict(.late, "No check fails, and there is a warning: \($0)") }
                ?? Verdict(.well, "All \(checks.count) checks pass.")
        }
        return Verdict(
            .stuck,
            "\(failed.count) of \(checks.count) checks \(failed.count == 1 ? "fails" : "fail"): \(first.faults.first ?? first.name)"
        )
    }

    private static func checks(_ report: SystemReport) -> HTML {
        let rows = (report.checks.value ?? [])
            .map { check -> [HTML] in
                let state =
                    !check.faults.isEmpty
                    ? Elements.state(.stuck, "fails")
                    : check.warnings.isEmpty ? Elements.state(.well, "passes") : Elements.state(.late, "warns")
                let lines = (check.faults + check.warnings).prefix(20).map { "<li>\($0)</li>" as HTML }
                return [
                    HTML(escaping: check.name), state, lines.isEmpty ? "" : "<ul>\(lines)</ul>",
                    check.faults.isEmpty ? "" : HTML(escaping: check.remedy),
                ]
            }
        return Elements.section(
            "Checks",
            stale(report.checks.problem)
                + Elements.table(
                    "Checks",
                    [.init("Check"), .init("State"), .init("What was found"), .init("What to do")],
                    rows,
                    empty: "The checks are running."
                )
        )
    }

    private static func replicas(_ call: Call) -> HTML {
        guard let outline = call.system.consumer?.outline else { return "" }
        let rows = outline.replicas.map { replica -> [HTML] in
            [
                HTML(escaping: replica.model), Elements.text(replica.namespace ?? "all"), Elements.code(replica.table),
                HTML(escaping: replica.storage), Elements.text(replica.options.joined(separator: ", ")),
            ]
        }
        return Elements.section(
            "Replicas",
            Elements.table(
                "Replicas",
                [.init("Model"), .init("Namespace"), .init("Table"), .init("Storage"), .init("Options")],
                rows,
                empty: "None is declared: each model is kept in the table of its plural, if that exists."
            )
        )
    }

    private static func access(_ call: Call) -> HTML {
        let settings = call.core.settings
        let rows = settings.tokens.map { token -> [HTML] in
            [HTML(escaping: token.name), HTML(escaping: token.role.rawValue), "token"]
        }
        let proxy = settings.trustedHeader.map { header -> [HTML] in
            ["whoever the proxy names", HTML(escaping: settings.trustedRole.rawValue), "header <code>\(header)</code>"]
        }
        let all = rows + (proxy.map { [$0] } ?? [])
        return Elements.section(
            "Access",
            Elements.table(
                "Access",
                [.init("Who"), .init("Role"), .init("By")],
                all,
                empty: "No token is set: whoever works on this machine may do everything."
            ),
            aside:
                "you are \(call.identity.name), \(call.identity.role.rawValue)\(settings.isReadOnly ? "; this console is read-only" : "")"
        )
    }

    private static func auditTable(_ entries: [AuditEntry]?, _ frame: Frame) -> HTML {
        Elements.section(
            "Last actions",
            auditRows(entries.map { Array($0.prefix(10)) }),
            aside: frame.link("/audit", "all")
        )
    }

    static func auditRows(_ entries: [AuditEntry]?) -> HTML {
        guard let entries else { return "<p class=\"stale\">Actions can't be written down: run migrate.</p>" }
        return Elements.table(
            "Actions",
            [
                .init("When"), .init("Who"), .init("Action"), .init("What"), .number("Matched"), .init("Outcome"),
            ],
            entries.map { entry in
                [
                    Elements.time(entry.at), HTML(escaping: entry.actor), "<code>\(entry.action)</code>",
                    HTML(escaping: entry.target), HTML(escaping: Format.number(entry.matched)),
                    Elements.text(entry.outcome),
                ]
            },
            empty: "Nobody has changed anything here yet."
        )
    }

    static func audit(_ entries: [AuditEntry]?, _ frame: Frame) -> Page {
        let count = entries?.count ?? 0
        return Page(
            "Audit log",
            tab: .system,
            verdict: Verdict(
                .idle,
                count == 0 ? "Nobody has changed anything here yet." : "These are the last actions, newest first."
            ),
            Elements.section("Actions", auditRows(entries))
        )
    }

    private static func settings(_ call: Call) -> HTML {
        let rows = call.system.settings.map { setting -> [HTML] in
            [
                "<code>\(setting.name)</code>", Elements.code(setting.value.isEmpty ? nil : setting.value),
                HTML(escaping: setting.source), HTML(escaping: setting.summary),
            ]
        }
        guard !rows.isEmpty else { return "" }
        return Elements.section(
            "Settings",
            Elements.table(
                "Settings",
                [.init("Setting"), .init("Value"), .init("From"), .init("Meaning")],
                rows,
                empty: ""
            )
        )
    }
}
