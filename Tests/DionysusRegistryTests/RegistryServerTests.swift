import Dionysus
import DionysusHTTP
import DionysusHTTPClient
import DionysusRegistry
import DionysusRegistryTesting
import DionysusSchemas
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

/// A registry over the network.
@Suite(.timeLimit(.minutes(10))) struct RegistryServerTests {
    private static let schema = RegistrySchema(.avro, #"{"type":"record","name":"A","fields":[]}"#)

    @Test("a client reaches it over HTTP")
    func http() async throws {
        let server = try await SchemaRegistryServer.start(
            InMemorySchemaRegistry(access: .basic(user: "user", password: "secret"))
        )
        let client = try SchemaRegistryClient(server.settings)
        #expect(try await client.register(Self.schema, under: "a/b").id == 1)
        #expect(try await client.subjects() == ["a/b"])
        server.registry.inject(.away, times: 1)
        #expect(try await client.versions(of: "a/b") == [1])
        server.registry.inject(.slow(.milliseconds(1)), times: 1)
        #expect(try await client.versions(of: "a/b") == [1])
        try await server.stop()
    }

    @Test("an address where nobody listens is an outage")
    func nobody() async throws {
        let server = try await SchemaRegistryServer.start(InMemorySchemaRegistry())
        var settings = server.settings
        try await server.stop()
        settings.maxRetries = 0
        let client = try SchemaRegistryClient(settings)
        let error = await #expect(throws: DionysusError.self) { try await client.subjects() }
        #expect(error?.code == .registryUnavailable)
    }

    @Test("an answer that takes too long or is too large is given up")
    func bounds() async throws {
        let registry = InMemorySchemaRegistry()
        let server = try await SchemaRegistryServer.start(registry)
        let transport = try NetworkTransport()
        registry.inject(.slow(.seconds(60)), times: 1)
        await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest("GET", server.url + "/subjects", timeout: .milliseconds(50)))
        }
        registry.inject(.body(String(repeating: "x", count: 100_000)), times: 1)
        await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest("GET", server.url + "/subjects", maximumBodySize: 99_999))
        }
        registry.inject(.slow(.seconds(60)), times: 1)
        let task = Task {
            try await transport.send(HTTPRequest("GET", server.url + "/subjects", timeout: .seconds(120)))
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await server.stop()
    }

    @Test("a server that speaks no HTTP is an outage")
    func noHTTP() async throws {
        let server = try await Listener.start(answer: "hello, who is there?\r\n\r\n")
        var settings = SchemaRegistrySettings(url: "http://localhost:\(server.port)")
        settings.maxRetries = 0
        let client = try SchemaRegistryClient(settings)
        let error = await #expect(throws: DionysusError.self) { try await client.subjects() }
        #expect(error?.code == .registryUnavailable)
        try await server.channel.close()
    }

    @Test("a certificate of its own is believed if its authority is given, and shown if the server asks for one")
    func certificates() async throws {
        try await withTemporaryDirectory { directory in
            let certificate = try await TestCertificate("registry", in: directory)
            let server = try await Listener.start(
                answer: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n[\"a\"]",
                tls: certificate
            )
            var settings = SchemaRegistrySettings(url: "https://localhost:\(server.port)")
            settings.maxRetries = 0
            settings.caFile = certificate.file
            settings.certificateFile = certificate.file
            settings.keyFile = certificate.key
            #expect(try await SchemaRegistryClient(settings).subjects() == ["a"])

            settings.certificateFile = nil
            settings.keyFile = nil
            var error = await #expect(throws: DionysusError.self) {
                try await SchemaRegistryClient(settings).subjects()
            }
            #expect(error?.code == .registryUnavailable)

            settings.caFile = nil
            error = await #expect(throws: DionysusError.self) { try await SchemaRegistryClient(settings).subjects() }
            #expect(error?.message.contains("TLS") == true)
            try await server.channel.close()
        }
    }

    @Test("certificates that can't be read are faults of the settings")
    func wrongFiles() {
        var settings = SchemaRegistrySettings(url: "https://localhost")
        settings.caFile = "/nowhere/ca.pem"
        let error = #expect(throws: DionysusError.self) { try SchemaRegistryClient(settings) }
        #expect(error?.code == .configuration)
        settings.caFile = nil
        settings.keyFile = "/nowhere/key.pem"
        #expect(throws: DionysusError.self) { try SchemaRegistryClient(settings) }
    }
}

/// Answers everybody who says something with the same bytes.
private struct Listener {
    let channel: any Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    static func start(answer: String, tls: TestCertificate? = nil) async throws -> Listener {
        let context = try tls.map { try NIOSSLContext(configuration: configuration($0)) }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.addHandler(Answering(answer))
                }
            }
            .bind(host: "localhost", port: 0).get()
        return Listener(channel: channel)
    }

    /// That of a server that asks for a certificate.
    private static func configuration(_ own: TestCertificate) throws -> TLSConfiguration {
        let certificates = try NIOSSLCertificate.fromPEMFile(own.file)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: own.key, format: .pem))
        )
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates(certificates)
        return configuration
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: String

        init(_ answer: String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
