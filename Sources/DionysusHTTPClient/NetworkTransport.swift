package import DionysusHTTP
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Sends requests over TCP, with TLS where the address says `https`.
///
/// Each request has a connection of its own. What asks this seldom would find the connections of a pool closed by servers
/// and proxies.
package struct NetworkTransport: HTTPTransport {
    /// The files with which both sides show who they are, in PEM.
    package struct Certificates: Sendable, Hashable {
        /// The authorities that servers are verified with; nil for the system's.
        package var authorities: String?
        /// The certificate that is shown to servers, with its chain.
        package var certificate: String?
        /// The certificate's key; nil if the certificate's file holds it.
        package var key: String?

        /// Creates the names of files.
        /// - Parameters:
        ///   - authorities: The authorities that servers are verified with.
        ///   - certificate: The certificate that is shown to servers.
        ///   - key: The certificate's key.
        package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
            self.authorities = authorities
            self.certificate = certificate
            self.key = key
        }
    }

    private let tls: NIOSSLContext?

    /// Creates a transport.
    /// - Parameter certificates: Whose certificates are believed, and which one is shown; nil for a transport without TLS,
    ///   which doesn't have to read the system's authorities.
    /// - Throws: ``HTTPTransportError`` for files that can't be read.
    package init(_ certificates: Certificates? = Certificates()) throws {
        guard let certificates else {
            tls = nil
            return
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        guard certificates.key == nil || certificates.certificate != nil else {
            throw HTTPTransportError("a key is named, and no certificate that it belongs to", isRetriable: false)
        }
        do {
            if let file = certificates.authorities {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
            }
            if let file = certificates.certificate {
                configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
                let key = try NIOSSLPrivateKey(file: certificates.key ?? file, format: .pem)
                configuration.privateKey = .privateKey(key)
            }
            tls = try NIOSSLContext(configuration: configuration)
        } catch {
            throw HTTPTransportError(
                "the certificates can't be read: the files with the authorities, the certificate and its key have to be "
                    + "there, and to be PEM",
                underlying: error,
                isRetriable: false
            )
        }
    }

    package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let target = try Target(request)
        guard tls != nil || !target.isSecure else {
            throw HTTPTransportError("there is no TLS here, and the address needs it", isRetriable: false)
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: HTTPResponse.self)
        let timeout = TimeAmount.nanoseconds(request.timeout.nanoseconds)
        let deadline = loop.scheduleTask(in: timeout) {
            promise.fail(HTTPTransportError("there was no answer in \(request.timeout)"))
        }
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if target.isSecure, let tls { try pipeline.addHandler(target.tlsHandler(tls)) }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(Exchange(request, target, promise))
                }
            }
        let connection = bootstrap.connect(host: target.host, port: target.port)
        connection.whenFailure { promise.fail($0) }
        promise.futureResult.whenComplete { _ in
            deadline.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
        }
        return try await withTaskCancellationHandler {
            do {
                return try await promise.futureResult.get()
            } catch let error as HTTPTransportError {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch {
                throw HTTPTransportError(Self.reason(error), underlying: error)
            }
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    /// What went wrong, for people.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            let causes =
                error.connectionErrors.map { "\($0.error)" }
                + [error.dnsAError, error.dnsAAAAError].compactMap { $0.map { "\($0)" } }
            return "no connection to \(error.host):\(error.port)\(causes.first.map { " (\($0))" } ?? "")"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: return "TLS failed (\(error))"
        case is HTTPParserError: return "the answer is no HTTP (\(error))"
        default: return "\(error)"
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflows ? .max : whole.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}

/// Where a request goes.
private struct Target: Sendable {
    let isSecure: Bool
    let host: String
    let port: Int
    /// What stands behind the host.
    let path: String

    init(_ request: HTTPRequest) throws {
        guard let parts = URLComponents(string: request.url), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty
        else { throw HTTPTransportError("the address is no URL of a server", isRetriable: false) }
        isSecure = scheme == "https"
        // Addresses of version 6 stand in brackets in a URL only.
        self.host = host.trimmingCharacters(in: ["[", "]"])
        port = parts.port ?? (isSecure ? 443 : 80)
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        self.path = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
    }

    func tlsHandler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        // A certificate for an address has it elsewhere, and it is no name to announce.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}

/// Sends one request and gathers its answer.
private final class Exchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPRequest
    private let target: Target
    private let promise: EventLoopPromise<HTTPResponse>
    private var response = HTTPResponse(status: 0, body: [])

    init(_ request: HTTPRequest, _ target: Target, _ promise: EventLoopPromise<HTTPResponse>) {
        self.request = request
        self.target = target
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        var headers = HTTPHeaders(request.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        headers.add(name: "host", value: target.port == (target.isSecure ? 443 : 80) ? host : "\(host):\(target.port)")
        headers.add(name: "connection", value: "close")
        if let body = request.body { headers.add(name: "content-length", value: "\(body.count)") }
        let head = HTTPRequestHead(
            version: .http1_1,
            method: HTTPMethod(rawValue: request.method),
            uri: target.path,
            headers: headers
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body = request.body {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            response.status = Int(head.status.code)
            for (name, value) in head.headers where response.headers[name.lowercased()] == nil {
                response.headers[name.lowercased()] = value
            }
        case .body(let part):
            guard response.body.count + part.readableBytes <= request.maximumBodySize else {
                promise.fail(HTTPTransportError("the answer has over \(request.maximumBodySize) bytes"))
                return context.close(promise: nil)
            }
            response.body.append(contentsOf: part.readableBytesView)
        case .end: promise.succeed(response)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(HTTPTransportError("the connection was closed before the answer's end"))
        context.fireChannelInactive()
    }
}
