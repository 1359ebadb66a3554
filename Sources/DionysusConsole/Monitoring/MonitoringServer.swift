import Dionysus
package import DionysusHealth
package import DionysusMetrics
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// Serves ``MonitoringRoutes`` on a port of their own.
///
/// By default it accepts connections from this machine only. Other addresses require a token.
package struct MonitoringServer: Service {
    private let routes: MonitoringRoutes
    private let address: ListeningAddress
    private let started: @Sendable (Int) -> Void
    private let logger: Logger

    /// Creates a server.
    /// - Parameters:
    ///   - host: The address to listen on.
    ///   - port: The port; 0 for one that is free.
    ///   - health: Tells how the service is.
    ///   - metrics: What collects metrics.
    ///   - token: What requests have to show; see ``MonitoringRoutes``.
    ///   - logger: Where it logs.
    ///   - started: Called with the port once it listens.
    /// - Throws: `DionysusError` with code `configuration` for an address beyond this machine without a token.
    package init(
        host: String = "127.0.0.1",
        port: Int,
        health: (@Sendable (Health.Question) -> Health.Report)? = nil,
        metrics: MetricCollector? = nil,
        token: String? = nil,
        logger: Logger = Logger(label: "dionysus.http"),
        started: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws {
        address = try ListeningAddress(host, port)
        guard address.isLoopback || token != nil else {
            throw DionysusError(
                .configuration,
                "others can reach \(host), and no token is set",
                advice: "set DIONYSUS_HTTP_TOKEN, or listen on 127.0.0.1"
            )
        }
        routes = MonitoringRoutes(health: health, metrics: metrics, token: token)
        self.started = started
        self.logger = logger
    }

    package func run() async throws {
        let router = Router()
        routes.add(to: router)
        let application = Application(
            router: router,
            // Whoever opens connections and says nothing, or says it slowly, takes none for good.
            server: .http1(configuration: HTTP1Channel.Configuration(idleTimeout: .seconds(30))),
            configuration: address.configuration(connections: 256),
            onServerRunning: { [started] channel in
                if let port = channel.localAddress?.port { started(port) }
            },
            logger: logger
        )
        try await address.serving { try await application.run() }
    }
}
