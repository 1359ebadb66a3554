import HTTPTypes
import Hummingbird

/// Decides who asks, and whether a request is theirs or another site's.
struct Gate: Sendable {
    /// Why a request isn't answered.
    struct Refusal: Error {
        let status: HTTPResponse.Status
        let reason: String
    }

    /// What a request says about itself.
    struct Request: Sendable {
        var headers: HTTPFields
        var method: HTTPRequest.Method
        /// The name and port that it was sent to.
        var authority: String?
        /// The address of the other end; nil if it isn't known.
        var address: String?
    }

    static let cookie = "dionysus_session"
    static let tokenField = "csrf"

    let settings: ConsoleSettings
    let sessions: Sessions
    private let key = Secret.random()

    init(settings: ConsoleSettings) {
        self.settings = settings
        sessions = Sessions()
    }

    // MARK: Who asks

    /// Who asks.
    /// - Returns: Nil for somebody who hasn't said.
    /// - Throws: ``Refusal`` for a wrong token, for too many of them, and for a name that isn't the console's.
    func identity(of request: Request) throws -> Identity? {
        if settings.isOpen {
            guard isOwnName(request.authority) else {
                throw Refusal(
                    status: .misdirectedRequest,
                    reason: "this console answers only under this machine's own names, because it asks for no token"
                )
            }
            return Identity(name: "local", role: .admin, proof: .machine)
        }
        if let shown = request.headers[.authorization] {
            if shown.hasPrefix("Bearer "), let token = token(String(shown.dropFirst(7))) {
                return Identity(name: token.name, role: token.role, proof: .bearer)
            }
            // Whoever shares an address with somebody who guesses isn't kept out.
            let address = request.address ?? "unknown"
            guard !sessions.isBlocked(address) else {
                throw Refusal(status: .tooManyRequests, reason: "too many wrong tokens; wait a minute")
            }
            sessions.noteFailure(of: address)
            throw Refusal(status: .unauthorized, reason: "the token is wrong")
        }
        if let header = settings.trustedHeader, let user = request.headers.value(of: header), !user.isEmpty,
            let address = request.address, settings.trustedProxies.contains(address)
        {
            return Identity(name: String(user.prefix(200)), role: settings.trustedRole, proof: .proxy)
        }
        return session(in: request).flatMap(sessions.identity)
    }

    /// The token of a secret; all are compared, so that the time says nothing.
    func token(_ secret: String) -> ConsoleToken? {
        settings.tokens.reduce(nil) { Secret.isSame($1.secret, secret) ? $1 : $0 }
    }

    /// The session's id in a request.
    func session(in request: Request) -> String? {
        request.headers[values: .cookie].flatMap { $0.split(separator: ";") }
            .compactMap { pair -> String? in
                let parts = pair.split(separator: "=", maxSplits: 1).map { $0.drop { $0 == " " } }
                return parts.count == 2 && parts[0] == Self.cookie ? String(parts[1]) : nil
            }
            .first
    }

    private func isOwnName(_ authority: String?) -> Bool {
        guard let authority else { return false }
        var host = authority[...]
        if host.hasPrefix("[") {
            host = host.prefix { $0 != "]" }.dropFirst()
        } else {
            host = host.prefix { $0 != ":" }
        }
        let name = host.lowercased()
        return name == "localhost" || name == "::1" || settings.hostNames.contains(name)
            || name.wholeMatch(of: /127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}/) != nil
    }

    // MARK: Whose request it is

    /// The text that a form has to send back.
    func formToken(for identity: Identity) -> String {
        let subject =
            switch identity.proof {
            case .session(let id): "session:\(id)"
            case .machine, .bearer, .proxy: "name:\(identity.name)"
            }
        return Secret.signature(of: subject, key: key)
    }

    /// Checks that a request that changes something was made on purpose.
    /// - Parameters:
    ///   - formToken: What the form has sent back, or the header `X-CSRF-Token`.
    /// - Throws: ``Refusal`` with 403 for a request that another site may have caused.
    func requireIntent(_ request: Request, by identity: Identity, formToken: String?) throws {
        // No browser sends such a header by itself.
        if identity.proof == .bearer { return }
        try requireOwnSite(request)
        let (site, origin) = (request.headers.value(of: "Sec-Fetch-Site"), request.headers[.origin])
        let isBrowser = origin != nil || site != nil || request.headers[.cookie] != nil
        // Programs of this machine need nothing else, where nothing else is asked for.
        if identity.proof == .machine, !isBrowser, formToken == nil { return }
        guard let formToken, Secret.isSame(formToken, self.formToken(for: identity)) else {
            throw Refusal(
                status: .forbidden,
                reason: "the form is too old or was not made by this console; load the page again"
            )
        }
    }

    /// Checks that no page of another site has caused a request.
    /// - Throws: ``Refusal`` with 403.
    func requireOwnSite(_ request: Request) throws {
        let (site, origin) = (request.headers.value(of: "Sec-Fetch-Site"), request.headers[.origin])
        let isOwnSite = site.map { $0 == "same-origin" || $0 == "none" } ?? origin.map { isOwn($0, request) } ?? true
        guard isOwnSite else { throw Refusal(status: .forbidden, reason: "the request comes from another site") }
    }

    private func isOwn(_ origin: String, _ request: Request) -> Bool {
        guard let authority = request.authority, let range = origin.firstRange(of: "://") else { return false }
        return origin[range.upperBound...].lowercased() == authority.lowercased()
    }
}

extension HTTPFields {
    /// The value of a header.
    func value(of name: String) -> String? { HTTPField.Name(name).flatMap { self[$0] } }
}

extension Request {
    /// What it says about itself.
    func shown(from address: String?) -> Gate.Request {
        Gate.Request(
            headers: headers,
            method: method,
            authority: head.authority ?? headers.value(of: "Host"),
            address: address
        )
    }
}
