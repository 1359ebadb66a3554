import NIOCore
import NIOPosix
import Synchronization

/// A broker that implements as much of Kafka's protocol as the tests need, with scripted answers.
///
/// It covers what librdkafka's mock cluster can't: credentials, refusals, stale metadata, topics that requests don't
/// create, control records of transactions. A group has one member, which leads it.
///
///     let kafka = try await FakeKafka()
///     kafka.change { $0.createTopic("t", partitions: 1) }
///     kafka.change { $0.append(.records([("k", "v")]), to: "t", 0) }
///     kafka.change { $0.errors[.joinGroup] = 30 }
public final class FakeKafka: Sendable {
    /// Its port on 127.0.0.1; after ``stop()``, the port on which ``start()`` will listen.
    public let port: Int
    private let desk: Desk
    private let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: Mutex<(any Channel)?>

    /// Starts listening.
    public init(_ script: Script = Script()) async throws {
        let desk = Desk(script)
        let channel = try await Self.listen(on: 0, loops, desk)
        self.desk = desk
        port = channel.localAddress?.port ?? 0
        listener = Mutex(channel)
        desk.script.withLock { [port] in $0.port = Int32(port) }
    }

    /// Its address: `host:port`.
    public var bootstrapServers: String { "127.0.0.1:\(port)" }

    /// Changes its script.
    public func change<T: Sendable>(_ change: (inout Script) -> T) -> T { desk.script.withLock { change(&$0) } }

    /// The number of requests of a kind so far.
    public func count(_ request: Request) -> Int { desk.script.withLock { $0.counts[request] ?? 0 } }

    /// Closes all connections and refuses new ones.
    public func stop() async {
        let channel = listener.withLock { $0.take() }
        try? await channel?.close()
        desk.cut()
    }

    /// Listens again after ``stop()``.
    public func start() async throws {
        let channel = try await Self.listen(on: port, loops, desk)
        listener.withLock { $0 = channel }
    }

    /// Stops the broker.
    public func close() async {
        await stop()
        try? await loops.shutdownGracefully()
    }

    /// Runs a test with a broker, and stops the broker.
    public static func run<T>(_ script: Script = Script(), _ body: (FakeKafka) async throws -> T) async throws -> T {
        let kafka = try await FakeKafka(script)
        do {
            let result = try await body(kafka)
            await kafka.close()
            return result
        } catch {
            await kafka.close()
            throw error
        }
    }

    private static func listen(
        on port: Int,
        _ loops: MultiThreadedEventLoopGroup,
        _ desk: Desk
    ) async throws -> any Channel {
        try await ServerBootstrap(group: loops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                desk.add(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(desk))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .get()
    }
}

/// The state shared by all connections.
final class Desk: Sendable {
    let script: Mutex<Script>
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    init(_ script: Script) { self.script = Mutex(script) }

    func add(_ channel: any Channel) {
        channels.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { _ in
            _ = self.channels.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }

    func cut() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}

/// One client's connection: splits the bytes into requests, and writes the answers in order.
private final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let largestRequest: Int32 = 100_000_000
    /// The maximum wait of a fetch without messages.
    private static let fetchPause = TimeAmount.milliseconds(10)

    private let desk: Desk
    private var received = ByteBuffer()
    private var session = Session()
    /// Whether a fetch, and so every later request, waits.
    private var isWaiting = false

    init(_ desk: Desk) { self.desk = desk }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        serve(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func serve(_ context: ChannelHandlerContext) {
        while !isWaiting, let size: Int32 = received.getInteger(at: received.readerIndex) {
            // Like Kafka with a client that uses TLS on a plaintext port.
            guard 0..<Self.largestRequest ~= size else { return context.close(promise: nil) }
            guard received.readableBytes >= Int(size) + 4 else { return }
            received.moveReaderIndex(forwardBy: 4)
            guard let request = received.readSlice(length: Int(size)) else { return }
            answer(request, context)
        }
    }

    private func answer(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var request = bytes
        let kind: Int16 = request.number()
        let version: Int16 = request.number()
        let correlation: Int32 = request.number()
        _ = request.text()
        guard let kind = Request(rawValue: kind) else { return context.close(promise: nil) }
        let outcome = desk.script.withLock { $0.answer(kind, version, &request, &session) }
        switch outcome {
        case .close:
            context.close(promise: nil)
        case .none:
            return
        case .answer(let body), .late(let body):
            var answer = ByteBuffer()
            answer.put(Int32(body.readableBytes + 4))
            answer.put(correlation)
            var body = body
            answer.writeBuffer(&body)
            guard case .late = outcome else { return context.writeAndFlush(wrapOutboundOut(answer), promise: nil) }
            isWaiting = true
            let bytes = answer
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            let connection = NIOLoopBound(self, eventLoop: context.value.eventLoop)
            context.value.eventLoop.scheduleTask(in: Self.fetchPause) {
                context.value.writeAndFlush(connection.value.wrapOutboundOut(bytes), promise: nil)
                connection.value.isWaiting = false
                connection.value.serve(context.value)
            }
        }
    }
}

/// The state of a connection.
struct Session {
    var mechanism: String?
    var isAuthenticated = false
}
