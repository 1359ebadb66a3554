import Dionysus
package import DionysusMetrics
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// Serves a ``Console`` on a port of its own.
///
/// By default it accepts connections from this machine only. Other addresses require a token, or a proxy's header.
package struct ConsoleServer: Service {
    private let console: Console
    private let address: ListeningAddress
    private let metrics: MetricCollector?
    private let started: @Sendable (Int) -> Void
    private let logger: Logger

    /// Creates a server.
    /// - Parameters:
    ///   - console: What it serves.
    ///   - host: The address to listen on.
    ///   - port: The port; 0 for one that is free.
    ///   - metrics: What collects the console's own metrics, for `/metrics`.
    ///   - logger: Where it logs.
    ///   - started: Called with the port once it listens.
    /// - Throws: `DionysusError` with code `configuration` for an address beyond this machine without a token.
    package init(
        _ console: Console,
        host: String = "127.0.0.1",
        port: Int = 8086,
        metrics: MetricCollector? = nil,
        logger: Logger = Logger(label: "dionysus.console"),
        started: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws {
        address = try ListeningAddress(host, port)
        guard address.isLoopback || !console.core.settings.isOpen else {
            throw DionysusError(
                .configuration,
                "others can reach \(host), and the console asks for no token",
                advice: "set DIONYSUS_CONSOLE_TOKENS, or listen on 127.0.0.1"
            )
        }
        self.console = console
        self.started = started
        self.logger = logger
        self.metrics = metrics
    }

    package func run() async throws {
        let router = Router(context: ConsoleContext.self)
        let dispatcher = Dispatcher(core: console.core)
        router.add(middleware: NotFound(dispatcher: dispatcher))
        console.add(to: router)
        router.get("health/live") { _, _ in dispatcher.probe(isWell: true) }
        router.get("health/ready") { _, _ in dispatcher.probe(isWell: await dispatcher.canRead) }
        if let metrics {
            router.get("metrics") { request, context in
                dispatcher.metrics(metrics, request, from: context.remoteAddress?.ipAddress)
            }
        }
        var application = Application(
            router: router,
            // Whoever opens connections and says nothing, or says it slowly, takes none for good.
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    idleTimeout: .seconds(30),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 16 * 1024,
                        maxHeaderListSize: 32 * 1024,
                        maxHeaderFieldCount: 100
                    )
                )
            ),
            configuration: address.configuration(connections: 512),
            onServerRunning: { [started] channel in
                if let port = channel.localAddress?.port { started(port) }
            },
            logger: logger
        )
        application.addServices(console)
        try await address.serving { try await application.run() }
    }
}

/// A request's context with the address of the other end.
struct ConsoleContext: RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}

/// Answers what is at no route as a page or as JSON.
private struct NotFound: RouterMiddleware {
    let dispatcher: Dispatcher

    func handle(
        _ request: Request,
        context: ConsoleContext,
        next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as any HTTPResponseError where error.status == .notFound {
            return dispatcher.missing(request)
        }
    }
}
