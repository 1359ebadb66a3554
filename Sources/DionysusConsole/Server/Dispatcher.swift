import Dionysus
import HTTPTypes
import Hummingbird
import Logging

/// Takes every request the same way: who asks, may they, did they mean to, and only then what they ask for.
struct Dispatcher: Sendable {
    let core: ConsoleCore

    /// The most bytes of a request's body.
    private static let maxBody = 2 * 1024 * 1024
    /// The longest path with its query.
    private static let maxAddress = 8 * 1024

    private var gate: Gate { core.gate }
    private var base: String { core.settings.basePath }
    private var responses: Responses { Responses(core: core) }

    // MARK: One request

    func answer(_ endpoint: Endpoint, _ request: Request, _ parameters: [String: String], from address: String?) async
        -> Response
    {
        let shown = request.shown(from: address)
        do {
            return try await respond(endpoint, request, shown, parameters)
        } catch let refusal as Gate.Refusal {
            return refuse(endpoint, refusal, request)
        } catch {
            return fail(endpoint, error)
        }
    }

    private func respond(
        _ endpoint: Endpoint,
        _ request: Request,
        _ shown: Gate.Request,
        _ parameters: [String: String]
    ) async throws -> Response {
        guard request.uri.string.utf8.count <= Self.maxAddress else {
            throw Gate.Refusal(status: .uriTooLong, reason: "the address is too long")
        }
        guard let query = Values(encoded: request.uri.query ?? ""),
            let path = decoded(parameters)
        else { throw Gate.Refusal(status: .badRequest, reason: "the address is not UTF-8") }
        let nobody = Identity(name: "nobody", role: .read, proof: .bearer)
        if endpoint.surface == .open {
            let call = Call(
                core: core,
                identity: nobody,
                path: path,
                query: query,
                body: Values(),
                address: "/",
                formToken: ""
            )
            return render(try await endpoint.handle(call), call)
        }
        guard let identity = try gate.identity(of: shown) else {
            throw Gate.Refusal(status: .unauthorized, reason: "a token is needed")
        }
        guard identity.role >= endpoint.role else {
            throw Gate.Refusal(
                status: .forbidden,
                reason: "this needs the role \(endpoint.role.rawValue), and you have \(identity.role.rawValue)"
            )
        }
        var body = Values()
        if endpoint.changes {
            guard !core.settings.isReadOnly else {
                throw Gate.Refusal(status: .forbidden, reason: "this console is read-only")
            }
            body = try await BodyReader(maxBytes: Self.maxBody).values(of: request)
            let formToken = body["csrf"] ?? request.headers.value(of: "X-CSRF-Token")
            try gate.requireIntent(shown, by: identity, formToken: formToken)
        }
        let call = Call(
            core: core,
            identity: identity,
            path: path,
            query: query,
            body: body,
            address: address(of: request),
            formToken: gate.formToken(for: identity)
        )
        return render(try await endpoint.handle(call), call, badges: await badges(endpoint))
    }

    private func decoded(_ parameters: [String: String]) -> [String: String]? {
        var path: [String: String] = [:]
        for (name, value) in parameters {
            guard let text = Link.decoded(value[...]) else { return nil }
            path[name] = text
        }
        return path
    }

    /// The path and query without the base path.
    private func address(of request: Request) -> String {
        let whole = request.uri.query.map { "\(request.uri.path)?\($0)" } ?? request.uri.path
        let path = whole.hasPrefix(base) ? String(whole.dropFirst(base.count)) : whole
        return path.hasPrefix("/") ? path : "/" + path
    }

    // MARK: Answers

    /// What needs somebody, from what was read a moment ago.
    private func badges(_ endpoint: Endpoint) async -> [Page.Tab: Int] {
        guard endpoint.surface == .page else { return [:] }
        async let outbox = core.outbox?.reading()
        async let failures = core.failures?.reading()
        return [
            .outbox: await outbox?.value.map { $0.survey.parked.value + $0.refused.count } ?? 0,
            .failures: await failures?.value?.failed ?? 0,
        ]
    }

    private func render(_ answer: Answer, _ call: Call, badges: [Page.Tab: Int] = [:]) -> Response {
        switch answer {
        case .page(let page):
            var frame = call.frame
            frame.badges = badges
            return responses.html(frame.document(page), page.status)
        case .json(let json, let status): return responses.json(json, status)
        case .redirect(let path): return responses.redirect(path)
        case .bytes(let type, let bytes, let maxAge):
            var response = responses.bytes(bytes, type)
            if maxAge > 0 { response.headers[.cacheControl] = "public, max-age=\(maxAge)" }
            return response
        case .download(let name, let type, let bytes):
            var response = responses.bytes(bytes, type)
            response.headers[.contentDisposition] = "attachment; filename=\"\(name)\""
            return response
        case .live(let page): return live(page, call)
        }
    }

    // MARK: Problems

    private func refuse(_ endpoint: Endpoint, _ refusal: Gate.Refusal, _ request: Request) -> Response {
        let isPage = endpoint.surface == .page
        if refusal.status == .unauthorized, isPage, request.method == .get, !core.settings.tokens.isEmpty {
            return responses.redirect(Link.to("/login", [("next", address(of: request))]))
        }
        var response =
            isPage
            ? responses.problemPage(refusal.status, refusal.reason)
            : responses.problem(refusal.status, refusal.reason)
        if refusal.status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        if refusal.status == .tooManyRequests { response.headers[.retryAfter] = "60" }
        return response
    }

    private func fail(_ endpoint: Endpoint, _ error: any Error) -> Response {
        let known = error as? DionysusError
        let status = known.map(Self.status) ?? .internalServerError
        if status.code >= 500 { core.logger.warning("\(endpoint.method) \(endpoint.path): \(error)") }
        let text = known?.description ?? "something went wrong in the console; its log says what"
        return endpoint.surface == .page
            ? responses.problemPage(status, text) : responses.problem(status, text, known?.code)
    }

    private static func status(of error: DionysusError) -> HTTPResponse.Status {
        switch error.code {
        case .notFound, .unknownTopic: .notFound
        case .malformed, .configuration, .offsetOutOfRange: .unprocessableContent
        case .conflict, .transactionConflict: .conflict
        case .databaseUnavailable, .brokerUnavailable, .timeout, .declaration, .closed: .serviceUnavailable
        default: .internalServerError
        }
    }

    /// What is at no route.
    func missing(_ request: Request) -> Response {
        let path = request.uri.path
        let isForPrograms = path.hasPrefix("\(base)/v1/") || path.hasPrefix("\(base)/api/")
        return isForPrograms
            ? responses.problem(.notFound, "not found")
            : responses.problemPage(.notFound, "there is no such page")
    }
}
