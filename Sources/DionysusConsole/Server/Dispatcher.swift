import Dionysus
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Takes every request the same way: who asks, may they, did they mean to, and only then what they ask for.
struct Dispatcher: Sendable {
    let core: ConsoleCore

    /// The most bytes of a request's body.
    static let maxBody = 2 * 1024 * 1024
    /// The most bytes of a body for logging in and out, where nobody has shown yet who they are.
    static let maxEntrance = 32 * 1024
    /// How long a body may take.
    static let bodyPatience = Duration.seconds(15)
    /// The longest path with its query.
    static let maxAddress = 8 * 1024

    private var gate: Gate { core.gate }
    private var base: String { core.settings.basePath }

    // MARK: One request

    func answer(_ endpoint: Endpoint, _ request: Request, _ parameters: [String: String], from address: String?) async
        -> Response
    {
        let shown = gateRequest(request, address)
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
            return render(try await endpoint.handle(call), call, endpoint)
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
            body = try await readBody(request, atMost: Self.maxBody)
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
        return render(try await endpoint.handle(call), call, endpoint, badges: await badges(endpoint))
    }

    func gateRequest(_ request: Request, _ address: String?) -> Gate.Request {
        Gate.Request(
            headers: request.headers,
            method: request.method,
            authority: request.head.authority ?? request.headers.value(of: "Host"),
            address: address
        )
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

    private func readBody(_ request: Request, atMost limit: Int) async throws -> Values {
        let tooLarge = Gate.Refusal(status: .contentTooLarge, reason: "the body has more than \(limit) bytes")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
        // Who sends nothing at all is disconnected for that.
        let deadline = ContinuousClock.now + Self.bodyPatience
        var bytes: [UInt8] = []
        for try await chunk in request.body {
            guard ContinuousClock.now < deadline else {
                throw Gate.Refusal(status: .requestTimeout, reason: "the body takes too long")
            }
            guard bytes.count + chunk.readableBytes <= limit else { throw tooLarge }
            bytes += chunk.readableBytesView
        }
        guard !bytes.isEmpty else { return Values() }
        let type = request.headers[.contentType] ?? ""
        if type.hasPrefix("application/json") {
            guard let values = (try? JSON(parsing: bytes)).flatMap(Values.init(json:)) else {
                throw DionysusError(.malformed, "the body is not a JSON object")
            }
            return values
        }
        guard type.isEmpty || type.hasPrefix("application/x-www-form-urlencoded") else {
            throw Gate.Refusal(status: .unsupportedMediaType, reason: "the body must be JSON or a form")
        }
        guard let text = String(validating: bytes, as: UTF8.self), let values = Values(encoded: text) else {
            throw DionysusError(.malformed, "the body is not a form")
        }
        return values
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

    private func render(_ answer: Answer, _ call: Call, _ endpoint: Endpoint, badges: [Page.Tab: Int] = [:]) -> Response
    {
        switch answer {
        case .page(let page):
            var frame = call.frame
            frame.badges = badges
            return html(frame.document(page), page.status)
        case .json(let json, let status): return self.json(json, status)
        case .redirect(let path): return redirect(path)
        case .entrance(let path, let cookie):
            var response = redirect(path)
            response.headers[.setCookie] = cookie
            return response
        case .bytes(let type, let bytes, let maxAge):
            var response = Response(
                status: .ok,
                headers: headers(type),
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            )
            if maxAge > 0 { response.headers[.cacheControl] = "public, max-age=\(maxAge)" }
            return response
        case .download(let name, let type, let bytes):
            var response = Response(
                status: .ok,
                headers: headers(type),
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            )
            response.headers[.contentDisposition] = "attachment; filename=\"\(name)\""
            return response
        case .live(let page): return live(page, call)
        }
    }

    private func redirect(_ path: String) -> Response {
        // Only to a path of this console: never elsewhere.
        var response = Response(status: .seeOther, headers: headers("text/plain; charset=utf-8"))
        response.headers[.location] = base + path
        return response
    }

    private func html(_ document: HTML, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: headers("text/html; charset=utf-8"),
            body: ResponseBody(byteBuffer: ByteBuffer(string: document.text))
        )
    }

    private func json(_ json: JSON, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: headers("application/json"),
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes + [UInt8(ascii: "\n")]))
        )
    }

    private func headers(_ type: String) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store",
            .contentSecurityPolicy:
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
                + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            .xContentTypeOptions: "nosniff",
        ]
        for (name, value) in [
            ("Referrer-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }

    // MARK: Problems

    private func refuse(_ endpoint: Endpoint, _ refusal: Gate.Refusal, _ request: Request) -> Response {
        let isPage = endpoint.surface == .page
        if refusal.status == .unauthorized, isPage, request.method == .get, !core.settings.tokens.isEmpty {
            return redirect(Link.to("/login", [("next", address(of: request))]))
        }
        var response =
            isPage
            ? html(bare(.problem(refusal.status, refusal.reason)), refusal.status)
            : json(problem(refusal.reason, nil), refusal.status)
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
            ? html(bare(.problem(status, text)), status) : json(problem(text, known?.code), status)
    }

    private func problem(_ text: String, _ code: DionysusError.Code?) -> JSON {
        var object: JSON.Object = ["error": .bool(true), "message": .string(text)]
        object["code"] = code.map { .string($0.description) }
        return .object(object)
    }

    private func bare(_ page: Page) -> HTML {
        Frame(core: core, identity: nil, formToken: "", address: "/").document(page)
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
            ? json(problem("not found", nil), .notFound)
            : html(bare(.problem(.notFound, "there is no such page")), .notFound)
    }

    // MARK: Logging in and out

    func loginPage(_ request: Request) -> Response {
        let next = Values(encoded: request.uri.query ?? "")?["next"] ?? "/"
        guard !core.settings.tokens.isEmpty else { return redirect("/") }
        return html(login(next, nil), .ok)
    }

    private func login(_ next: String, _ problem: String?) -> HTML {
        let frame = Frame(core: core, identity: nil, formToken: "", address: "/login")
        return frame.document(.login(frame, problem: problem, next: Self.isPath(next) ? next : "/"))
    }

    /// Whether a text is a path of this console, and not the address of another site.
    private static func isPath(_ text: String) -> Bool {
        text.hasPrefix("/") && !text.hasPrefix("//") && !text.contains("\\")
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }

    func logIn(_ request: Request, from address: String?) async -> Response {
        let (shown, place) = (gateRequest(request, address), address ?? "unknown")
        do {
            let body = try await readBody(request, atMost: Self.maxEntrance)
            let next = body["next"] ?? "/"
            try gate.requireOwnSite(shown)
            guard let token = gate.token(body["token"] ?? "") else {
                guard !gate.sessions.isBlocked(place) else {
                    var response = html(login(next, "Too many wrong tokens; wait a minute."), .tooManyRequests)
                    response.headers[.retryAfter] = "60"
                    return response
                }
                gate.sessions.noteFailure(of: place)
                core.logger.notice("somebody at \(place) has shown a wrong token")
                return html(login(next, "The token is wrong."), .unauthorized)
            }
            let session = gate.sessions.begin(token)
            return render(
                .entrance(Self.isPath(next) ? next : "/", cookie: cookie(session, lifetime: 12 * 3600)),
                Call(
                    core: core,
                    identity: Identity(name: token.name, role: token.role, proof: .session(session)),
                    path: [:],
                    query: Values(),
                    body: Values(),
                    address: "/",
                    formToken: ""
                ),
                Endpoint.all[0]
            )
        } catch let refusal as Gate.Refusal {
            return html(bare(.problem(refusal.status, refusal.reason)), refusal.status)
        } catch {
            return html(bare(.problem(.badRequest, "the form can't be read")), .badRequest)
        }
    }

    func logOut(_ request: Request, from address: String?) async -> Response {
        let shown = gateRequest(request, address)
        guard let session = gate.session(in: shown), let identity = gate.sessions.identity(session),
            let body = try? await readBody(request, atMost: Self.maxEntrance),
            (try? gate.requireIntent(shown, by: identity, formToken: body["csrf"])) != nil
        else { return redirect("/login") }
        gate.sessions.end(session)
        var response = redirect("/login")
        response.headers[.setCookie] = cookie("", lifetime: 0)
        return response
    }

    private func cookie(_ session: String, lifetime: Int) -> String {
        let secure = core.settings.usesSecureCookies ? "; Secure" : ""
        return
            "\(Gate.cookie)=\(session); Path=\(base.isEmpty ? "/" : base); Max-Age=\(lifetime); HttpOnly; SameSite=Strict\(secure)"
    }
}
