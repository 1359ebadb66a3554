import Dionysus
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

extension Dispatcher {
    /// The time between two looks at a live page.
    private static let interval = Duration.seconds(2)
    /// How long a stream lasts; the browser opens another.
    private static let lifetime = Duration.seconds(600)

    /// A stream of a page's changes.
    ///
    /// The page is read once for all who look at it with the same rights, and sent only when it has changed.
    func live(_ address: String, _ call: Call) -> Response {
        let parts = address.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = Values(encoded: parts.count > 1 ? parts[1] : "") ?? Values()
        guard let (endpoint, path) = Self.page(String(parts.first ?? "/")), call.identity.role >= endpoint.role else {
            return missingPage
        }
        guard let place = core.streams.enter(core.settings.maxStreams) else {
            var response = Response(status: .serviceUnavailable)
            response.headers[.retryAfter] = "30"
            return response
        }
        let shown = Call(
            core: core,
            identity: call.identity,
            path: path,
            query: query,
            body: Values(),
            address: address,
            formToken: call.formToken
        )
        var headers: HTTPFields = [
            .contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        // Some proxies would keep it until it ends.
        if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                // The place is held for as long as this closure is, also if it is never called.
                defer { withExtendedLifetime(place) {} }
                try await Self.write(endpoint, shown, to: &writer)
                try await writer.finish(nil)
            }
        )
    }

    private static func write(_ endpoint: Endpoint, _ call: Call, to writer: inout any ResponseBodyWriter) async throws
    {
        let end = ContinuousClock.now + lifetime
        // Forms of different people differ in what they send back.
        let key = "\(call.formToken) \(call.identity.role.rawValue) \(call.address)"
        let shared = call.core.fragment(key) {
            guard case .page(let page) = try await endpoint.handle(call) else { return LiveFragment(html: "") }
            return LiveFragment(html: call.frame.main(page).text)
        }
        var last: String?
        try await writer.write(ByteBuffer(string: "retry: 5000\n\n"))
        while ContinuousClock.now < end, !Task.isShuttingDownGracefully {
            let reading = await shared.reading()
            if case .current(let fragment) = reading, fragment.html != last {
                last = fragment.html
                let lines = fragment.html.split(separator: "\n", omittingEmptySubsequences: false)
                    .map { "data: \($0)\n" }
                try await writer.write(ByteBuffer(string: "event: page\n\(lines.joined())\n"))
            } else {
                // Shows that the connection is alive, and finds out when nobody reads any more.
                try await writer.write(ByteBuffer(string: "event: same\ndata:\n\n"))
            }
            try await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) }
        }
    }

    /// The live page of a path.
    static func page(_ path: String) -> (endpoint: Endpoint, parameters: [String: String])? {
        let parts = path.split(separator: "/")
        for endpoint in Endpoint.all where endpoint.isLive {
            let names = endpoint.path.split(separator: "/")
            guard names.count == parts.count else { continue }
            var parameters: [String: String] = [:]
            let fits = zip(names, parts)
                .allSatisfy { name, part in
                    guard name.hasPrefix("{") else { return name == part }
                    guard let text = Link.decoded(part) else { return false }
                    parameters[String(name.dropFirst().dropLast())] = text
                    return true
                }
            if fits { return (endpoint, parameters) }
        }
        return nil
    }

    private var missingPage: Response { Response(status: .notFound) }
}
