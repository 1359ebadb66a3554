import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A proxy between clients and a server that simulates network failures.
///
///     let proxy = try await FaultProxy(host: "127.0.0.1", port: 5432)
///     proxy.change { $0.delay = .milliseconds(20) }
///     proxy.cut()
public final class FaultProxy: Sendable {
    /// The faults that the proxy injects.
    public struct Faults: Sendable {
        /// Whether new connections are closed at once.
        public var isDown = false
        /// The delay of bytes, in each direction.
        public var delay = Duration.zero
        /// The maximum additional random delay.
        public var jitter = Duration.zero
        /// Whether the server's bytes are dropped, while the clients' bytes arrive.
        public var losesReplies = false
        /// The next chunk of a reply that contains these bytes is dropped, and its connection closed; then this becomes
        /// nil again.
        public var lostReply: [UInt8]?
        /// The byte sequences that must pass, in order, until a connection stalls: the chunk with the last one and
        /// everything after it are dropped, while the connection stays open.
        public var signsOfStandstill: [Sign] = []

        /// No faults.
        public init() {}
    }

    /// A byte sequence in one direction.
    public struct Sign: Sendable {
        /// The bytes.
        public var bytes: [UInt8]
        /// Whether the server sends it.
        public var isReply: Bool

        /// What a client sends.
        public static func request(_ text: String) -> Sign { Sign(bytes: Array(text.utf8), isReply: false) }

        /// What the server sends.
        public static func reply(_ text: String) -> Sign { Sign(bytes: Array(text.utf8), isReply: true) }
    }

    /// The port on 127.0.0.1 that clients connect to.
    public let port: Int
    private let traffic: Traffic
    private let listener: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// Starts listening.
    /// - Parameters:
    ///   - host: The server's host, a numeric address.
    ///   - advertisesItself: Whether to replace the server's address in its replies with the proxy's, for a broker that
    ///   advertises its address.
    public init(host: String, port: Int, advertisesItself: Bool = false) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let traffic = Traffic(host: host, port: port)
        self.traffic = traffic
        listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in traffic.connect(client) }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        let ownPort = listener.localAddress?.port ?? 0
        self.port = ownPort
        if advertisesItself { traffic.advertise(host, ownPort) }
    }

    /// Changes the faults.
    public func change(_ change: (inout Faults) -> Void) { traffic.change(change) }

    /// Closes all connections abruptly.
    public func cut() { traffic.cut() }

    /// Closes all connections, and directs new ones to another port of the server's host.
    public func lead(to port: Int) {
        traffic.lead(to: port)
        traffic.cut()
    }

    /// The number of replies dropped by ``Faults/lostReply``.
    public var lostReplies: Int { traffic.lostReplies }

    /// Whether a connection is stalled by ``Faults/signsOfStandstill``.
    public var hasStandstill: Bool { traffic.hasStandstill }

    /// Stops the proxy and closes its connections.
    public func close() async {
        try? await listener.close()
        traffic.cut()
        try? await group.shutdownGracefully()
    }
}

/// The connections of a proxy.
private final class Traffic: Sendable {
    enum Verdict {
        case pass(after: Duration)
        case drop
        case cut
        case standStill
    }

    private struct State {
        var faults = FaultProxy.Faults()
        var channels: [ObjectIdentifier: any Channel] = [:]
        var lostReplies = 0
        var hasStandstill = false
        var host: String
        var port: Int
        /// The replacement for the server's address in replies.
        var address: [UInt8]?
    }

    private let state: Mutex<State>

    init(host: String, port: Int) { state = Mutex(State(host: host, port: port)) }

    var lostReplies: Int { state.withLock { $0.lostReplies } }

    var hasStandstill: Bool { state.withLock { $0.hasStandstill } }

    func change(_ change: (inout FaultProxy.Faults) -> Void) { state.withLock { change(&$0.faults) } }

    func advertise(_ host: String, _ port: Int) { state.withLock { $0.address = Self.address(host, port) } }

    func lead(to port: Int) { state.withLock { $0.port = port } }

    /// An address in Kafka's protocol: the host, then the port in four bytes.
    private static func address(_ host: String, _ port: Int) -> [UInt8] {
        Array(host.utf8) + withUnsafeBytes(of: UInt32(port).bigEndian) { Array($0) }
    }

    func cut() {
        let channels = state.withLock { state in
            defer { state.channels = [:] }
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }

    /// Connects a client to the server, and joins the two.
    func connect(_ client: any Channel) -> EventLoopFuture<Void> {
        let (isDown, host, port) = state.withLock { ($0.faults.isDown, $0.host, $0.port) }
        guard !isDown else { return client.close() }
        return ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(host: host, port: port)
            .flatMapThrowing { server in
                try client.pipeline.syncOperations.addHandler(Forwarder(to: server, isReply: false, self))
                try server.pipeline.syncOperations.addHandler(Forwarder(to: client, isReply: true, self))
                self.state.withLock { state in
                    for channel in [client, server] { state.channels[ObjectIdentifier(channel)] = channel }
                }
                for channel in [client, server] {
                    channel.closeFuture.whenComplete { _ in
                        _ = self.state.withLock { $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
                    }
                }
            }
            .flatMap { client.setOption(.autoRead, value: true) }
    }

    /// The fate of some bytes.
    func verdict(on bytes: inout [UInt8], isReply: Bool) -> Verdict {
        state.withLock { state in
            if let sign = state.faults.signsOfStandstill.first, sign.isReply == isReply,
                bytes.place(of: sign.bytes, from: 0) != nil
            {
                state.faults.signsOfStandstill.removeFirst()
                if state.faults.signsOfStandstill.isEmpty {
                    state.hasStandstill = true
                    return .standStill
                }
            }
            if isReply {
                if state.faults.losesReplies { return .drop }
                if let lost = state.faults.lostReply, bytes.place(of: lost, from: 0) != nil {
                    state.faults.lostReply = nil
                    state.lostReplies += 1
                    return .cut
                }
                if let address = state.address {
                    bytes.exchange(Self.address(state.host, state.port), with: address)
                }
            }
            let jitter = state.faults.jitter * Double.random(in: 0...1)
            return .pass(after: state.faults.delay + jitter)
        }
    }
}

/// Forwards the bytes of one end of a connection.
private final class Forwarder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let partner: any Channel
    private let isReply: Bool
    private let traffic: Traffic
    /// Bytes stay in order, whatever their delay.
    private var due = NIODeadline.now()
    private var standsStill = false

    init(to partner: any Channel, isReply: Bool, _ traffic: Traffic) {
        self.partner = partner
        self.isReply = isReply
        self.traffic = traffic
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if isReply { context.channel.setOption(.autoRead, value: true).whenComplete { _ in } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !standsStill else { return }
        var bytes = Array(buffer: unwrapInboundIn(data))
        switch traffic.verdict(on: &bytes, isReply: isReply) {
        case .drop: return
        case .standStill: standsStill = true
        case .cut:
            partner.close(promise: nil)
            context.close(promise: nil)
        case .pass(let delay):
            due = max(due + .nanoseconds(1), .now() + .nanoseconds(Int64(delay / .nanoseconds(1))))
            let (partner, buffer) = (partner, context.channel.allocator.buffer(bytes: bytes))
            context.eventLoop.scheduleTask(deadline: due) { partner.writeAndFlush(buffer, promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let partner = partner
        context.eventLoop.scheduleTask(deadline: due) { partner.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension [UInt8] {
    /// The position of some bytes at or after an index; it uses the C library for speed, because all traffic is
    /// searched.
    fileprivate func place(of bytes: [UInt8], from start: Int) -> Int? {
        withUnsafeBytes { all in
            bytes.withUnsafeBytes { wanted in
                guard let base = all.baseAddress, let pattern = wanted.baseAddress else { return nil }
                var place = start
                while place + wanted.count <= all.count,
                    let found = memchr(base + place, Int32(wanted[0]), all.count - wanted.count - place + 1)
                {
                    place = UnsafeRawPointer(found) - base
                    if memcmp(found, pattern, wanted.count) == 0 { return place }
                    place += 1
                }
                return nil
            }
        }
    }

    /// Replaces all occurrences of some bytes with bytes of the same length.
    fileprivate mutating func exchange(_ bytes: [UInt8], with others: [UInt8]) {
        var start = 0
        while let place = place(of: bytes, from: start) {
            replaceSubrange(place..<place + bytes.count, with: others)
            start = place + others.count
        }
    }
}
