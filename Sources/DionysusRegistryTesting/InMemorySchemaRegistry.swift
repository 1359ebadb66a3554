import Dionysus
package import DionysusHTTP
public import DionysusSchemas
import Foundation
import Synchronization

/// A schema registry in memory that answers as Confluent's does, for tests.
///
///     let registry = InMemorySchemaRegistry()
///     let client = try registry.client()
///
/// The client needs no network. ``SchemaRegistryServer`` offers it to other programs over HTTP.
/// Faults are injected with ``inject(_:times:onPath:)``; ``requests`` has what it was asked for.
public final class InMemorySchemaRegistry: Sendable {
    /// Who may ask.
    public enum Access: Sendable {
        /// Everybody.
        case open
        /// Who knows a user's password.
        case basic(user: String, password: String)
        /// Who has a token.
        case bearer(token: String)
    }

    /// What happens to a request in the place of an answer.
    public struct Fault: Sendable {
        enum Kind: Sendable {
            case away
            case slow(Duration)
            case answer(RegistryAnswer)
        }

        let kind: Kind

        /// The connection is closed without an answer.
        public static let away = Fault(kind: .away)
        /// The answer comes late.
        /// - Parameter delay: How late.
        /// - Returns: The fault.
        public static func slow(_ delay: Duration) -> Fault { Fault(kind: .slow(delay)) }
        /// The answer is an error.
        /// - Parameters:
        ///   - status: The status: 401, 409, 422, 500.
        ///   - code: Confluent's code; the status if it is nil.
        ///   - message: The registry's words.
        /// - Returns: The fault.
        public static func error(_ status: Int, code: Int? = nil, _ message: String = "injected by a test") -> Fault {
            Fault(kind: .answer(RegistryAnswer(status, code ?? status, message)))
        }
        /// The answer has this body, whatever was asked for.
        /// - Parameters:
        ///   - body: The body.
        ///   - status: The status.
        /// - Returns: The fault.
        public static func body(_ body: String, status: Int = 200) -> Fault {
            Fault(kind: .answer(RegistryAnswer(status: status, body: Array(body.utf8))))
        }
    }

    /// What was asked for.
    public struct Request: Sendable, Hashable, CustomStringConvertible {
        /// `GET`, `POST`, `PUT` or `DELETE`.
        public let method: String
        /// The path, without the query.
        public let path: String

        public var description: String { "\(method) \(path)" }
    }

    private struct Injection {
        let fault: Fault
        var times: Int?
        let path: String?
    }

    private struct State {
        var contents = RegistryContents()
        var injections: [Injection] = []
        var requests: [Request] = []
    }

    private let state = Mutex(State())
    private let access: Access

    /// Creates an empty registry.
    /// - Parameter access: Who may ask.
    public init(access: Access = .open) { self.access = access }

    /// Settings for a client that has this registry as its transport.
    ///
    /// Retries have next to no pause.
    package var settings: SchemaRegistrySettings {
        var settings = SchemaRegistrySettings(url: "http://registry.invalid")
        settings.retryDelay = .milliseconds(1)
        switch access {
        case .open: break
        case .basic(let user, let password): (settings.user, settings.password) = (user, password)
        case .bearer(let token): settings.token = token
        }
        return settings
    }

    /// What was asked for, from the first request on.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// Has requests fail.
    /// - Parameters:
    ///   - fault: What happens to them.
    ///   - times: To how many; nil for all until ``removeFaults()``.
    ///   - path: Only to those whose path begins so; nil for all.
    public func inject(_ fault: Fault, times: Int? = nil, onPath path: String? = nil) {
        state.withLock { $0.injections.append(Injection(fault: fault, times: times, path: path)) }
    }

    /// Has requests succeed again.
    public func removeFaults() { state.withLock { $0.injections = [] } }

    /// How a request is answered.
    enum Outcome: Sendable {
        case answer(HTTPResponse, after: Duration)
        case none
    }

    /// Answers a request.
    /// - Parameters:
    ///   - method: The method.
    ///   - target: The path and the query.
    ///   - authorization: The header of that name.
    ///   - body: The body.
    func outcome(of method: String, _ target: String, authorization: String?, body: [UInt8]) -> Outcome {
        let query = RegistryQuery(target)
        return state.withLock { state in
            state.requests.append(Request(method: method, path: query.path))
            var delay = Duration.zero
            let index = state.injections.firstIndex {
                $0.times != 0 && query.path.hasPrefix($0.path ?? "")
            }
            if let index {
                if let times = state.injections[index].times { state.injections[index].times = times - 1 }
                switch state.injections[index].fault.kind {
                case .away: return .none
                case .slow(let pause): delay = pause
                case .answer(let answer): return .answer(answer.response, after: .zero)
                }
            }
            guard lets(authorization) else {
                return .answer(RegistryAnswer(401, 401, "Unauthorized").response, after: delay)
            }
            return .answer(state.contents.answer(method, query, body).response, after: delay)
        }
    }

    private func lets(_ authorization: String?) -> Bool {
        switch access {
        case .open: true
        case .basic(let user, let password):
            authorization == "Basic " + Array("\(user):\(password)".utf8).base64Encoded
        case .bearer(let token): authorization == "Bearer \(token)"
        }
    }

    /// Creates a client of this registry that needs no network.
    /// - Returns: A client with settings of this registry's.
    /// - Throws: `DionysusError` with code `configuration`, never with these settings.
    public func client() throws -> SchemaRegistryClient { try SchemaRegistryClient(settings, transport: self) }
}

extension InMemorySchemaRegistry: HTTPTransport {
    package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let start = request.url.range(of: "://").map { request.url[$0.upperBound...] } ?? request.url[...]
        let target = start.firstIndex(of: "/").map { String(start[$0...]) } ?? "/"
        let authorization = request.headers["authorization"]
        switch outcome(of: request.method, target, authorization: authorization, body: request.body ?? []) {
        case .none: throw HTTPTransportError("the connection was closed (injected by a test)")
        case .answer(let response, let delay):
            if delay > .zero { try await Task.sleep(for: min(delay, request.timeout)) }
            guard delay < request.timeout else { throw HTTPTransportError("there was no answer in \(request.timeout)") }
            guard response.body.count <= request.maximumBodySize else {
                throw HTTPTransportError("the answer has over \(request.maximumBodySize) bytes")
            }
            return response
        }
    }
}
