import Dionysus

/// Something that can be done with many rows or messages at once.
protocol BulkAction: RawRepresentable<String>, CaseIterable, Sendable {
    /// What a button says: `Retry`.
    var verb: String { get }
    /// What will happen, in a sentence.
    var meaning: String { get }
    /// Whether somebody is asked first even if it is for one alone.
    var isAskedForOne: Bool { get }
}

/// Rows or messages that something can be done with: those that are named, or all that match a filter.
struct BulkTargets<Action: BulkAction, Side>: Sendable {
    /// Their page.
    let tab: Page.Tab
    /// What one of them is called on pages: `row`.
    let noun: String
    /// What they are called in the API and the audit log: `rows`.
    let nouns: String
    /// What all of them are called where no filter is given.
    let everything: String
    /// The filters that they can be chosen by.
    let filters: [Endpoint.Parameter]
    /// The part of the system that they belong to.
    let side: @Sendable (Call) throws -> Side
    /// The ids of those that match a filter, and whether there may be more.
    let matching: @Sendable (Values, Side) async throws -> (ids: [Int64], isBounded: Bool)
    /// What is done with some, which the audit log describes by a text, and where to go back.
    let plan: @Sendable (Action, [Int64], String, Side, Call, String) -> ActionCenter.Plan
    /// Where it is written down.
    let audit: @Sendable (ConsoleCore) -> AuditLog?

    /// A form for people, and a change for programs of each action.
    /// - Parameter summary: What the form does.
    func endpoints(_ summary: String) -> [Endpoint] {
        [.form("\(tab.path)/actions", summary, answer)]
            + Action.allCases.map { action in
                .change(
                    "\(tab.path)/\(action.rawValue)",
                    "\(action.verb) \(nouns): those named, or all that match a filter",
                    body: [.ids("the \(nouns); without them, all that match")] + filters + [.dryRun]
                ) { try await answer($0, to: action) }
            }
    }

    /// Answers a form: with a question first, unless it is for one alone and does no harm.
    private func answer(_ call: Call) async throws -> Answer {
        let side = try side(call)
        let isAll = call.body["all"] != nil
        guard let action = try call.body.choice(isAll ? "all" : "action", of: Action.self) else {
            throw DionysusError(.malformed, "action is missing")
        }
        let own = ["csrf", "confirm", "action", "id", "upto", "expected"]
        let fields = call.body.pairs.filter { !own.contains($0.name) }
        let back = Link.to(tab.path, fields.filter { $0.name != "all" }.map { ($0.name, $0.value) })
        let (ids, isBounded) = isAll ? try await matching(call.body, side) : (try call.ids(), false)
        guard !ids.isEmpty else {
            throw DionysusError(.malformed, "no \(noun) is selected, or none matches any more")
        }
        let isAsked = isAll || ids.count > 1 || action.isAskedForOne
        guard let chosen = try isAsked ? call.confirmed(ids, isAll: isAll) : ids else {
            let count = Format.plural(ids.count, noun)
            let kept = isAll ? fields.map { ($0.name, $0.value) } : ids.map { ("id", "\($0)") }
            let more = isAll ? call.question(ids) : [("action", action.rawValue)]
            return .page(
                .confirm(
                    "\(action.verb) \(isBounded ? "the first \(count) that match" : count)?",
                    action.meaning,
                    "\(tab.path)/actions",
                    "\(action.verb) \(count)",
                    kept + more,
                    back: back,
                    tab: tab,
                    call.frame,
                    call
                )
            )
        }
        let plan = plan(action, chosen, described(call.body, chosen, isAll), side, call, back)
        return call.page(of: try await call.start(plan, in: audit(call.core)))
    }

    /// Answers a program.
    private func answer(_ call: Call, to action: Action) async throws -> Answer {
        let side = try side(call)
        let named = try call.ids()
        let names = filters.map(\.name) + ["all"]
        guard !named.isEmpty || call.body.pairs.contains(where: { names.contains($0.name) }) else {
            throw DionysusError(
                .malformed,
                "neither ids nor a filter is given",
                advice: "give all=true to mean all"
            )
        }
        let (ids, isBounded) = named.isEmpty ? try await matching(call.body, side) : (named, false)
        guard !call.body.isOn("dry_run") else {
            return .json(.object(["matched": .integer(Int64(ids.count)), "more": .bool(isBounded)]))
        }
        let plan = plan(action, ids, described(call.body, ids, named.isEmpty), side, call, tab.path)
        return .json((try await call.start(plan, in: audit(call.core))).json, .accepted)
    }

    /// Some of them as the audit log describes them.
    private func described(_ values: Values, _ ids: [Int64], _ isAll: Bool) -> String {
        guard isAll else {
            return "\(nouns) \(ids.prefix(20).map(String.init).joined(separator: ", "))\(ids.count > 20 ? ", …" : "")"
        }
        let parts = filters.compactMap { filter in values[filter.name].map { "\(filter.name)=\($0)" } }
        return parts.isEmpty ? everything : "all with \(parts.joined(separator: " "))"
    }
}
