import Dionysus
import DionysusHTTP
import DionysusHTTPClient

/// Sends requests to a collector, with retries as OTLP has them.
struct OTLPClient: Sendable {
    /// What became of a request.
    enum Outcome {
        /// The collector has taken it, or all but what it says.
        case taken(PartialSuccess?)
        /// The collector doesn't take it, and wouldn't later.
        case rejected(String)
        /// There was no answer, or none but to try again, for too long.
        case unreachable(String)
    }

    private let endpoint: OTLPEndpoint
    private let retries: RetryPolicy
    private let transport: any HTTPTransport

    init(_ endpoint: OTLPEndpoint, _ retries: RetryPolicy) throws {
        self.endpoint = endpoint
        self.retries = retries
        do {
            let certificates = NetworkTransport.Certificates(
                authorities: endpoint.authoritiesFile,
                certificate: endpoint.certificateFile,
                key: endpoint.keyFile
            )
            transport = try NetworkTransport(endpoint.url.lowercased().hasPrefix("https:") ? certificates : nil)
        } catch {
            throw DionysusError(
                .configuration,
                "telemetry can't be sent to the collector: \(error)",
                advice: "correct OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY",
                underlying: error
            )
        }
    }

    /// Sends a request until it is taken, refused, or it has taken too long.
    func send(_ body: [UInt8]) async -> Outcome {
        let request = request(body)
        let start = ContinuousClock.now
        var pause = retries.firstPause
        while true {
            let problem: String
            var wait: Duration?
            do {
                let response = try await transport.send(request)
                switch response.status {
                case 200..<300: return .taken(PartialSuccess(response.body))
                case 429, 502, 503, 504:
                    problem = "it answered with \(response.status)"
                    wait = response.headers["retry-after"].flatMap { RetryAfter($0)?.pause }
                default: return .rejected("it answered with \(response.status)")
                }
            } catch let error as HTTPTransportError where error.isRetriable {
                problem = error.description
            } catch is CancellationError {
                return .unreachable("the process ended first")
            } catch {
                return .rejected("\(error)")
            }
            // Many processes that lost their collector at once shouldn't come back at once.
            let next = wait ?? pause * Double.random(in: 0.5..<1.5)
            guard ContinuousClock.now - start + next < retries.limit else { return .unreachable(problem) }
            do { try await Task.sleep(for: next) } catch { return .unreachable(problem) }
            pause = min(pause * 2, retries.longestPause)
        }
    }

    private func request(_ body: [UInt8]) -> HTTPRequest {
        var headers = endpoint.headers
        headers["content-type"] = "application/x-protobuf"
        headers["user-agent"] = "OTel-OTLP-Exporter-Dionysus/1"
        var body = body
        if endpoint.compresses, let compressed = Gzip.compress(body) {
            headers["content-encoding"] = "gzip"
            body = compressed
        }
        return HTTPRequest(
            "POST",
            endpoint.url,
            headers: headers,
            body: body,
            timeout: endpoint.timeout,
            maximumBodySize: 1 << 20
        )
    }
}

/// When a server says that it can be asked again.
struct RetryAfter: Hashable {
    let pause: Duration

    /// Reads the header's value: seconds, or a date.
    init?(_ text: String, now: Timestamp = .now) {
        if let seconds = Int(text) {
            guard seconds >= 0 else { return nil }
            pause = .seconds(min(seconds, 86_400))
            return
        }
        // Sun, 06 Nov 1994 08:49:37 GMT
        let parts = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        guard let date = Timestamp("\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z") else { return nil }
        pause = .microseconds(max(0, date.microseconds(since: now)))
    }
}
