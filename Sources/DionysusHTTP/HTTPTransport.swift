/// Sends requests over HTTP.
///
/// Replace it in a test, or to use an application's own HTTP client.
package protocol HTTPTransport: Sendable {
    /// Sends a request and waits for the whole answer.
    ///
    /// Redirects aren't followed: they would take credentials to another server.
    /// - Parameter request: The request.
    /// - Returns: The answer, whatever its status.
    /// - Throws: ``HTTPTransportError`` if there was no answer in time or it was too large, and `CancellationError`.
    func send(_ request: HTTPRequest) async throws -> HTTPResponse
}

/// A request over HTTP.
package struct HTTPRequest: Sendable {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    package var method: String
    /// Where to: `http` or `https`, the host, the path and the query, without credentials.
    package var url: String
    /// The headers, in lower case.
    package var headers: [String: String]
    /// The body, if there is one.
    package var body: [UInt8]?
    /// How long to wait for the whole answer.
    package var timeout: Duration
    /// How many bytes the answer's body may have.
    package var maximumBodySize: Int

    /// Creates a request.
    /// - Parameters:
    ///   - method: `GET`, `POST`, `PUT` or `DELETE`.
    ///   - url: Where to.
    ///   - headers: The headers, in lower case.
    ///   - body: The body, if there is one.
    ///   - timeout: How long to wait for the whole answer.
    ///   - maximumBodySize: How many bytes the answer's body may have.
    package init(
        _ method: String,
        _ url: String,
        headers: [String: String] = [:],
        body: [UInt8]? = nil,
        timeout: Duration = .seconds(10),
        maximumBodySize: Int = 16 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.maximumBodySize = maximumBodySize
    }
}

/// An answer over HTTP.
package struct HTTPResponse: Sendable {
    /// The status: 200 for success.
    package var status: Int
    /// The headers, by their names in lower case; the first of those with one name.
    package var headers: [String: String]
    /// The body.
    package var body: [UInt8]

    /// Creates an answer.
    /// - Parameters:
    ///   - status: The status.
    ///   - headers: The headers, by their names in lower case.
    ///   - body: The body.
    package init(status: Int, headers: [String: String] = [:], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why there was no answer.
package struct HTTPTransportError: Error, CustomStringConvertible {
    /// What happened, without secrets.
    package var description: String
    /// The error this one was made from.
    package var underlying: (any Error)?
    /// Whether the same request may be answered later.
    package var isRetriable: Bool

    /// Creates an error.
    /// - Parameters:
    ///   - description: What happened, without secrets.
    ///   - underlying: The error this one was made from.
    ///   - isRetriable: Whether the same request may be answered later.
    package init(_ description: String, underlying: (any Error)? = nil, isRetriable: Bool = true) {
        self.description = description
        self.underlying = underlying
        self.isRetriable = isRetriable
    }
}
