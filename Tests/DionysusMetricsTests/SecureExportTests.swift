import DionysusMetrics
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TestSupport
import Testing
import Tracing

/// What is sent over TLS.
struct SecureExportTests {
    @Test func aCollectorIsVerifiedWithTheAuthoritiesThatAreNamed() async throws {
        try await withCertificate { certificate in
            let outcome = try await export(to: certificate) { $0.authoritiesFile = certificate.file }
            #expect(outcome == "1")
        }
    }

    @Test func aCollectorThatNobodyVouchesForIsSentNothing() async throws {
        try await withCertificate { certificate in
            let outcome = try await export(to: certificate) { _ in }
            #expect(outcome == "0")
        }
    }

    @Test func aCollectorThatAsksIsShownACertificate() async throws {
        try await withCertificate { certificate in
            let shown = try await export(to: certificate, asks: true) { endpoint in
                endpoint.authoritiesFile = certificate.file
                endpoint.certificateFile = certificate.file
                endpoint.keyFile = certificate.key
            }
            #expect(shown == "1")
            let without = try await export(to: certificate, asks: true) { $0.authoritiesFile = certificate.file }
            #expect(without == "0")
        }
    }

    private struct Certificate: Sendable {
        let file: String
        let key: String
    }

    /// How many spans the collector took, of one.
    private func export(
        to certificate: Certificate,
        asks: Bool = false,
        _ change: (inout OTLPEndpoint) -> Void
    ) async throws -> Substring? {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate.file)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem))
        )
        if asks {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(chain)
        }
        let context = try NIOSSLContext(configuration: configuration)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Taking())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        var endpoint = OTLPEndpoint(url: "https://127.0.0.1:\(server.localAddress?.port ?? 0)/v1/traces")
        change(&endpoint)
        var settings = TelemetrySettings(serviceName: "bookings")
        settings.traces = endpoint
        // A connection that can't be trusted is tried again like every other.
        settings.retries.limit = .milliseconds(1)
        settings.shutdownTimeout = .seconds(60)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let telemetry = try Telemetry(settings, logger: logger)
        telemetry.tracer?.startSpan("work", context: .topLevel).end()
        telemetry.shutDown()
        await telemetry.run()
        try await server.close()
        let start = #"dionysus_telemetry_sent_total{signal="traces"} "#
        return telemetry.metrics.exposition().body.split(separator: "\n").first { $0.hasPrefix(start) }?
            .dropFirst(start.count)
    }

    /// Makes a certificate that is its own authority, for this machine.
    private func withCertificate(_ body: (Certificate) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let certificate = Certificate(
            file: directory.appending(path: "certificate.pem").path,
            key: directory.appending(path: "key.pem").path
        )
        let arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=collector", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", certificate.key, "-out",
            certificate.file,
        ]
        let openssl = try RunningProcess("openssl", arguments, environment: [:])
        let result = await openssl.result()
        #expect(result.status == 0, "\(result.errors)")
        try await body(certificate)
    }
}

/// Answers every request with a success.
private final class Taking: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
