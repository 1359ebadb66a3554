import Dionysus
import DionysusHTTP
import Foundation
import Synchronization

/// Sends requests to a registry: to the first of its addresses that works, and again if none does.
final class RegistryConnection: Sendable {
    /// An address, and what is sent there to be let in.
    private struct Place: Sendable {
        /// Without credentials and without a slash at the end.
        let url: String
        let authorization: String?
    }

    private let transport: any HTTPTransport
    private let settings: SchemaRegistrySettings
    private let places: [Place]
    /// The place of the address that worked last.
    private let current = Mutex(0)

    private static let contentType = "application/vnd.schemaregistry.v1+json"

    init(_ settings: SchemaRegistrySettings, transport: any HTTPTransport) throws {
        self.settings = settings
        self.transport = transport
        places = try settings.urls.map { try Self.place($0, settings) }
        guard !places.isEmpty else { throw Self.fault("no address of a schema registry is set") }
        guard settings.token == nil || settings.user == nil else {
            throw Self.fault("both a token and a user are set for the schema registry, which takes one of them")
        }
    }

    private static func fault(_ what: String) -> DionysusError {
        DionysusError(.configuration, what, advice: "set http://host:port, several with commas between")
    }

    private static func place(_ text: String, _ settings: SchemaRegistrySettings) throws -> Place {
        guard var parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), parts.host?.isEmpty == false, parts.query == nil, parts.fragment == nil
        else {
            throw fault("an address of the schema registry is no URL with http or https")
        }
        var authorization: String?
        if let token = settings.token {
            authorization = "Bearer \(token)"
        } else if let user = parts.user ?? settings.user {
            let password = parts.user == nil ? settings.password ?? "" : parts.password ?? ""
            authorization = "Basic " + Array("\(user):\(password)".utf8).base64Encoded
        }
        guard authorization?.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) != false else {
            throw fault("the schema registry's credentials contain control characters")
        }
        (parts.user, parts.password) = (nil, nil)
        while parts.path.hasSuffix("/") { parts.path.removeLast() }
        guard let url = parts.string else { throw fault("an address of the schema registry is no URL") }
        return Place(url: url, authorization: authorization)
    }

    /// Sends a request and reads the answer.
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The path's parts, which are escaped here.
    ///   - query: Names and values.
    ///   - body: A document.
    ///   - what: What is asked for, for errors.
    func send(
        _ method: String,
        _ path: [String],
        query: [(String, String)] = [],
        body: JSON? = nil,
        _ what: String
    ) async throws -> JSON {
        var failures = 0
        while true {
            do {
                return try await sendOnce(method, Self.target(path, query), body: body, what)
            } catch let error as DionysusError where error.isRetriable && failures < settings.maxRetries {
                failures += 1
                let longest = min(settings.retryDelay * (1 << min(failures - 1, 20)), settings.maxRetryDelay)
                try await Task.sleep(for: longest * Double.random(in: 0...1))
            }
        }
    }

    /// Tries each address once, beginning with the one that worked last.
    private func sendOnce(_ method: String, _ target: String, body: JSON?, _ what: String) async throws -> JSON {
        let start = current.withLock { $0 }
        var failure = DionysusError(.registryUnavailable, "\(what): there was no answer", isRetriable: true)
        for step in places.indices {
            let index = (start + step) % places.count
            do {
                let answer = try await ask(places[index], method, target, body: body, what)
                current.withLock { $0 = index }
                return answer
            } catch let error as DionysusError where error.isRetriable {
                failure = error
            }
        }
        throw failure
    }

    private func ask(
        _ place: Place,
        _ method: String,
        _ target: String,
        body: JSON?,
        _ what: String
    ) async throws -> JSON {
        var headers = ["accept": Self.contentType]
        headers["authorization"] = place.authorization
        headers["target-sr-cluster"] = settings.logicalCluster
        headers["confluent-identity-pool-id"] = settings.identityPoolID
        if body != nil { headers["content-type"] = Self.contentType }
        let request = HTTPRequest(
            method,
            place.url + target,
            headers: headers,
            body: body?.bytes,
            timeout: settings.timeout
        )
        let response: HTTPResponse
        do {
            response = try await transport.send(request)
        } catch let error as HTTPTransportError {
            throw DionysusError(
                .registryUnavailable,
                "\(what): the schema registry \(place.url) can't be reached: \(error)",
                isRetriable: error.isRetriable,
                underlying: error.underlying
            )
        }
        guard (200..<300).contains(response.status) else { throw RegistryFault(response).error(what, at: place.url) }
        if response.body.isEmpty { return .null }
        do {
            return try JSON(parsing: response.body)
        } catch {
            throw strange(what, at: place.url)
        }
    }

    /// An answer that no registry gives: something else is at the address, or in between.
    private func strange(_ what: String, at url: String) -> DionysusError {
        DionysusError(
            .registryUnavailable,
            "\(what): \(url) gave an answer that is none of a schema registry",
            advice: "check the registry's address, and proxies before it",
            isRetriable: true
        )
    }

    /// The error for a document that lacks what it should have.
    func strange(_ what: String) -> DionysusError { strange(what, at: places[current.withLock { $0 }].url) }

    /// What of a part of a path needs no escape.
    private static let plain = CharacterSet(
        charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    )

    private static func escaped(_ text: String) -> String {
        // A part that is only dots would be taken for a step.
        if text == "." || text == ".." { return text.replacing(".", with: "%2E") }
        return text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }

    private static func target(_ path: [String], _ query: [(String, String)]) -> String {
        let path = path.map { "/" + escaped($0) }.joined()
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
    }
}
