import Dionysus
import DionysusMetrics
import Hummingbird
import NIOCore

/// What those ask who watch the console itself.
extension Dispatcher {
    /// Whether a database that the console shows can be read.
    var canRead: Bool {
        get async {
            async let outbox = core.outbox?.reading()
            async let failures = core.failures?.reading()
            let isThere = [await outbox?.value != nil, await failures?.value != nil]
            return isThere.contains(true) || (core.outbox == nil && core.failures == nil)
        }
    }

    func probe(isWell: Bool) -> Response {
        plain(
            isWell ? .ok : .serviceUnavailable,
            "application/json; charset=utf-8",
            "{\"status\":\"\(isWell ? "ok" : "unavailable")\"}\n"
        )
    }

    /// The console's own metrics, for those who may use it.
    func metrics(_ metrics: MetricCollector, _ request: Request, from address: String?) -> Response {
        guard (try? core.gate.identity(of: request.shown(from: address))) ?? nil != nil else {
            var response = plain(.unauthorized, "text/plain; charset=utf-8", "a token is needed\n")
            response.headers[.wwwAuthenticate] = "Bearer"
            return response
        }
        let exposition = metrics.exposition(accepting: request.headers[.accept])
        return plain(.ok, exposition.contentType, exposition.body)
    }

    private func plain(_ status: HTTPResponse.Status, _ type: String, _ body: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body))
        )
    }
}
