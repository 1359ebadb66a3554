import DionysusHTTP
public import DionysusSchemas
import NIOCore
import NIOHTTP1
import NIOPosix

/// Offers a registry in memory to other programs, over HTTP on this machine.
///
///     let server = try await SchemaRegistryServer.start(InMemorySchemaRegistry())
///     print(server.url)
///     try await server.stop()
public struct SchemaRegistryServer: Sendable {
    /// What it offers.
    public let registry: InMemorySchemaRegistry
    /// Where: `http://127.0.0.1:PORT`.
    public let url: String
    private let channel: any Channel

    /// Starts a server.
    /// - Parameters:
    ///   - registry: What it offers.
    ///   - port: The port; 0 for any that is free.
    /// - Returns: The server.
    /// - Throws: An error of the network if the port is taken.
    public static func start(
        _ registry: InMemorySchemaRegistry,
        port: Int = 0
    ) async throws -> SchemaRegistryServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: true)
                    try channel.pipeline.syncOperations.addHandler(RegistryHandler(registry))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        let url = "http://127.0.0.1:\(channel.localAddress?.port ?? port)"
        return SchemaRegistryServer(registry: registry, url: url, channel: channel)
    }

    /// Settings for a client of it: its address, and a user where the registry asks for one.
    public var settings: SchemaRegistrySettings {
        var settings = registry.settings
        settings.urls = [url]
        return settings
    }

    /// Stops taking connections.
    /// - Throws: An error of the network.
    public func stop() async throws { try await channel.close() }
}

/// Answers the requests of one connection.
private final class RegistryHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let maximumBodySize = 16 << 20

    private let registry: InMemorySchemaRegistry
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ registry: InMemorySchemaRegistry) { self.registry = registry }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let part):
            guard body.count + part.readableBytes <= Self.maximumBodySize else { return context.close(promise: nil) }
            body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let head else { return }
            let authorization = head.headers.first(name: "authorization")
            let outcome = registry.outcome(of: head.method.rawValue, head.uri, authorization: authorization, body: body)
            switch outcome {
            case .none: context.close(promise: nil)
            case .answer(let response, let delay):
                let isKeptAlive = head.isKeepAlive
                guard delay > .zero else { return answer(response, isKeptAlive, context) }
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                let (seconds, attoseconds) = delay.components
                context.eventLoop.scheduleTask(in: .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
                {
                    let (handler, context) = bound.value
                    handler.answer(response, isKeptAlive, context)
                }
            }
        }
    }

    private func answer(_ response: HTTPResponse, _ isKeptAlive: Bool, _ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: response.status),
            headers: [
                "content-type": "application/vnd.schemaregistry.v1+json", "content-length": "\(response.body.count)",
                "connection": isKeptAlive ? "keep-alive" : "close",
            ]
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil)))
            .whenComplete { _ in if !isKeptAlive { channel.close(promise: nil) } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
