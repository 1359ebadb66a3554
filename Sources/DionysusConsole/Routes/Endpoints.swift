import Dionysus
import Hummingbird

extension Endpoint {
    /// Everything that the console answers to.
    static let all: [Endpoint] =
        overview + outbox + failures + records + messages + consumers + projections + runs + verifications + system
        + actions + entrance + events

    typealias Handler = @Sendable (Call) async throws -> Answer

    /// A page for people.
    static func page(
        _ path: String,
        _ summary: String,
        role: ConsoleRole = .read,
        isLive: Bool = false,
        _ handle: @escaping Handler
    ) -> Endpoint {
        Endpoint(
            method: .get,
            path: path,
            surface: .page,
            role: role,
            summary: summary,
            isLive: isLive,
            handle: handle
        )
    }

    /// A form of a page.
    static func form(_ path: String, _ summary: String, role: ConsoleRole = .operate, _ handle: @escaping Handler)
        -> Endpoint
    {
        Endpoint(method: .post, path: path, surface: .page, role: role, summary: summary, handle: handle)
    }

    /// JSON for programs.
    static func read(
        _ path: String,
        _ summary: String,
        role: ConsoleRole = .read,
        query: [Parameter] = [],
        answer: [(name: String, meaning: String)] = [],
        _ handle: @escaping Handler
    ) -> Endpoint {
        Endpoint(
            method: .get,
            path: "/api/v1" + path,
            surface: .api,
            role: role,
            summary: summary,
            query: query,
            answer: answer,
            handle: handle
        )
    }

    /// A change by programs.
    static func change(
        _ path: String,
        _ summary: String,
        role: ConsoleRole = .operate,
        body: [Parameter] = [],
        answer: [(name: String, meaning: String)] = [
            ("id", "the action, at /api/v1/actions/{id}"), ("outcomes", "how many of what became of it"),
        ],
        _ handle: @escaping Handler
    ) -> Endpoint {
        Endpoint(
            method: .post,
            path: "/api/v1" + path,
            surface: .api,
            role: role,
            summary: summary,
            body: body,
            answer: answer,
            handle: handle
        )
    }
}

extension Endpoint.Parameter {
    static func text(_ name: String, _ meaning: String, required: Bool = false) -> Self {
        .init(name: name, kind: .text, meaning: meaning, isRequired: required)
    }

    static func integer(_ name: String, _ meaning: String) -> Self {
        .init(name: name, kind: .integer, meaning: meaning)
    }
    static func boolean(_ name: String, _ meaning: String) -> Self {
        .init(name: name, kind: .boolean, meaning: meaning)
    }
    static func time(_ name: String, _ meaning: String) -> Self { .init(name: name, kind: .time, meaning: meaning) }
    static func ids(_ meaning: String) -> Self { .init(name: "ids", kind: .ids, meaning: meaning) }

    static func choice(_ name: String, _ words: [String], _ meaning: String) -> Self {
        .init(name: name, kind: .choice(words), meaning: meaning)
    }

    static let limit = integer("limit", "how many at most, from 1 to 1000; 100 by default")
    static let after = integer("after", "only those with a higher id, for the next page")
    static let dryRun = boolean("dry_run", "only count those that match")
}

extension Call {
    var frame: Frame { Frame(core: core, identity: identity, formToken: formToken, address: address) }

    /// How many a page has.
    func limit(_ standard: Int = 100) throws -> Int {
        try query.integer("limit", in: 1...1000).map { Int($0) } ?? standard
    }

    /// Begins an action, and leads to what it does.
    func start(_ plan: ActionCenter.Plan, in audit: AuditLog?) async throws -> ActionProgress {
        guard let audit else { throw DionysusError(.notFound, "this console shows no database for that") }
        return try await core.actions.start(plan, by: identity, in: audit) { [core] in await core.invalidate() }
    }

    /// Those of some ids that somebody has confirmed.
    /// - Parameters:
    ///   - ids: Those that are named, or all that match now.
    ///   - isAll: Whether they are all that match.
    /// - Returns: Nil if it wasn't confirmed, or more match now than were to be seen.
    func confirmed(_ ids: [Int64], isAll: Bool) throws -> [Int64]? {
        guard body.isOn("confirm") else { return nil }
        guard isAll else { return ids }
        guard let last = try body.integer("upto"), let count = try body.integer("expected") else { return nil }
        let seen = ids.filter { $0 <= last }
        return seen.isEmpty || seen.count > count ? nil : seen
    }

    /// The fields of a question about all that match, by which ``confirmed(_:isAll:)`` knows what was to be seen.
    func question(_ ids: [Int64]) -> [(String, String)] {
        [("upto", "\(ids.max() ?? 0)"), ("expected", "\(ids.count)")]
    }

    /// The page of an action.
    func page(of progress: ActionProgress) -> Answer { .redirect("/actions/\(progress.id)") }

    /// The ids in a body, under both names.
    func ids() throws -> [Int64] {
        let texts = body.all("id") + body.all("ids")
        guard texts.count <= 1000 else {
            throw DionysusError(
                .malformed,
                "there are \(texts.count) ids, and 1000 are allowed",
                advice: "use a filter"
            )
        }
        return try texts.map { text in
            guard let id = Int64(text) else { throw DionysusError(.malformed, "an id is not a whole number") }
            return id
        }
    }
}
