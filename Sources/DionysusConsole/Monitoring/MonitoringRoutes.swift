import Dionysus
public import DionysusHealth
public import DionysusMetrics
public import Hummingbird

/// The routes for those that watch a process: `/health/live`, `/health/ready` and `/metrics`.
///
///     let router = Router()
///     MonitoringRoutes(health: { heartbeat.report($0) }, metrics: telemetry.metrics).add(to: router)
///
/// A probe answers with 200, or with 503 and the reason. Where a token is set, metrics and reasons are only for those who have
/// it; whether a service is well, anybody may ask, because orchestrators do so without.
public struct MonitoringRoutes: Sendable {
    private let health: (@Sendable (Health.Question) -> Health.Report)?
    private let metrics: MetricCollector?
    private let token: String?

    /// Creates routes.
    /// - Parameters:
    ///   - health: Tells how the service is; without it there are no probes.
    ///   - metrics: What collects metrics; without it there is no `/metrics`.
    ///   - token: What requests have to show as `Authorization: Bearer TOKEN`; nil if nobody else can ask.
    public init(
        health: (@Sendable (Health.Question) -> Health.Report)? = nil,
        metrics: MetricCollector? = nil,
        token: String? = nil
    ) {
        self.health = health
        self.metrics = metrics
        self.token = token
    }

    /// Adds the routes to a router, or to a group of one.
    /// - Parameter router: The router.
    public func add<Context: RequestContext>(to router: some RouterMethods<Context>) {
        if let health {
            router.get("health/live") { request, _ in probe(.live, health, request) }
            router.get("health/ready") { request, _ in probe(.ready, health, request) }
        }
        if let metrics {
            router.get("metrics") { request, _ in exposition(metrics, request) }
        }
    }

    private func probe(
        _ question: Health.Question,
        _ health: @Sendable (Health.Question) -> Health.Report,
        _ request: Request
    ) -> Response {
        let report = health(question)
        var answer: JSON.Object = ["status": .string(report.isHealthy ? "ok" : "unavailable")]
        // It can name servers.
        if isTrusted(request) {
            answer["reason"] = report.reason.map(JSON.string) ?? .null
            answer["service"] = report.heartbeat.map { .string($0.role.rawValue) } ?? .null
            answer["state"] = report.heartbeat.map { .string($0.state.rawValue) } ?? .null
            answer["time"] = report.heartbeat.map { .string($0.time.description) } ?? .null
        }
        return Self.response(
            report.isHealthy ? .ok : .serviceUnavailable,
            "application/json; charset=utf-8",
            JSON.object(answer).text + "\n"
        )
    }

    private func exposition(_ metrics: MetricCollector, _ request: Request) -> Response {
        guard isTrusted(request) else {
            var response = Self.response(.unauthorized, "text/plain; charset=utf-8", "a token is needed\n")
            response.headers[.wwwAuthenticate] = "Bearer"
            return response
        }
        let exposition = metrics.exposition(accepting: request.headers[.accept])
        return Self.response(.ok, exposition.contentType, exposition.body)
    }

    private func isTrusted(_ request: Request) -> Bool {
        guard let token else { return true }
        guard let shown = request.headers[.authorization] else { return false }
        return isSame(shown, "Bearer \(token)")
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body))
        )
    }
}

/// Whether texts are the same, in a time that doesn't tell where they differ.
private func isSame(_ left: String, _ right: String) -> Bool {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    var difference = UInt8(left.count == right.count ? 0 : 1)
    for (place, byte) in left.enumerated() { difference |= byte ^ (right.isEmpty ? 1 : right[place % right.count]) }
    return difference == 0
}
