import HTTPTypes
import Hummingbird
import Logging

/// Logs people in and out, with a cookie.
struct Login: Sendable {
    let core: ConsoleCore

    /// The most bytes of a body, while nobody has shown yet who they are.
    private static let maxBody = 32 * 1024

    private var gate: Gate { core.gate }
    private var responses: Responses { Responses(core: core) }

    /// The form.
    func page(_ request: Request) -> Response {
        let next = Values(encoded: request.uri.query ?? "")?["next"] ?? "/"
        guard !core.settings.tokens.isEmpty else { return responses.redirect("/") }
        return form(next, nil, .ok)
    }

    func logIn(_ request: Request, from address: String?) async -> Response {
        let (shown, place) = (request.shown(from: address), address ?? "unknown")
        do {
            let body = try await readBody(request)
            let next = body["next"] ?? "/"
            try gate.requireOwnSite(shown)
            guard let token = gate.token(body["token"] ?? "") else {
                guard !gate.sessions.isBlocked(place) else {
                    var response = form(next, "Too many wrong tokens; wait a minute.", .tooManyRequests)
                    response.headers[.retryAfter] = "60"
                    return response
                }
                gate.sessions.noteFailure(of: place)
                core.logger.notice("somebody at \(place) has shown a wrong token")
                return form(next, "The token is wrong.", .unauthorized)
            }
            let session = gate.sessions.begin(token)
            return responses.redirect(
                Self.isPath(next) ? next : "/",
                cookie: cookie(session, lifetime: 12 * 3600)
            )
        } catch let refusal as Gate.Refusal {
            return responses.problemPage(refusal.status, refusal.reason)
        } catch {
            return responses.problemPage(.badRequest, "the form can't be read")
        }
    }

    func logOut(_ request: Request, from address: String?) async -> Response {
        let shown = request.shown(from: address)
        guard let session = gate.session(in: shown), let identity = gate.sessions.identity(session),
            let body = try? await readBody(request),
            (try? gate.requireIntent(shown, by: identity, formToken: body["csrf"])) != nil
        else { return responses.redirect("/login") }
        gate.sessions.end(session)
        return responses.redirect("/login", cookie: cookie("", lifetime: 0))
    }

    private func readBody(_ request: Request) async throws -> Values {
        try await BodyReader(maxBytes: Self.maxBody).values(of: request)
    }

    private func form(_ next: String, _ problem: String?, _ status: HTTPResponse.Status) -> Response {
        let frame = Frame(core: core, identity: nil, formToken: "", address: "/login")
        let page = Page.login(frame, problem: problem, next: Self.isPath(next) ? next : "/")
        return responses.html(frame.document(page), status)
    }

    /// Whether a text is a path of this console, and not the address of another site.
    private static func isPath(_ text: String) -> Bool {
        text.hasPrefix("/") && !text.hasPrefix("//") && !text.contains("\\")
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }

    private func cookie(_ session: String, lifetime: Int) -> String {
        let path = core.settings.basePath.isEmpty ? "/" : core.settings.basePath
        let secure = core.settings.usesSecureCookies ? "; Secure" : ""
        return "\(Gate.cookie)=\(session); Path=\(path); Max-Age=\(lifetime); HttpOnly; SameSite=Strict\(secure)"
    }
}
