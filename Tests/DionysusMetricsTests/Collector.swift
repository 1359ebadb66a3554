import Foundation
import Hummingbird
import Logging
import Synchronization
import TestSupport

/// An OpenTelemetry collector that keeps what it receives and answers as the test says.
final class Collector: Sendable {
    /// What was sent in a request.
    struct Delivery: Sendable {
        let path: String
        let headers: [String: String]
        let body: [UInt8]
    }

    /// What is answered.
    struct Answer: Sendable {
        var status = 200
        var retryAfter: String?
        var body: [UInt8] = []
        /// Whether there is no answer at all.
        var isSilent = false
    }

    private struct State {
        var deliveries: [Delivery] = []
        var answers: [Answer]
        var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Mutex<State>
    private let silence = AsyncStream<Void>.makeStream()

    /// - Parameter answers: What is answered to the first requests; all others are taken.
    init(_ answers: [Answer] = []) { state = Mutex(State(answers: answers)) }

    var deliveries: [Delivery] { state.withLock { $0.deliveries } }

    /// Waits until so many requests have come.
    func received(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.deliveries.count >= count { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Runs something while the collector listens.
    /// - Parameter body: Is given the address.
    func whileListening<T: Sendable>(_ body: (String) async throws -> T) async throws -> T {
        let router = Router()
        router.post("**") { request, _ in try await self.take(request) }
        var logger = Logger(label: "collector")
        logger.logLevel = .critical
        return try await whileServing { [logger] started in
            Application(
                router: router,
                configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { channel in if let number = channel.localAddress?.port { started(number) } },
                logger: logger
            )
        } _: { address in
            // Nobody is left without an answer when the server ends.
            defer { silence.continuation.finish() }
            return try await body(address)
        }
    }

    private func take(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 24)
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        let delivery = Delivery(path: request.uri.path, headers: headers, body: Array(body.readableBytesView))
        let (answer, ready) = state.withLock { state in
            state.deliveries.append(delivery)
            let ready = state.waiting.filter { $0.count <= state.deliveries.count }.map(\.continuation)
            state.waiting.removeAll { $0.count <= state.deliveries.count }
            return (state.answers.isEmpty ? Answer() : state.answers.removeFirst(), ready)
        }
        for continuation in ready { continuation.resume() }
        if answer.isSilent { for await _ in silence.stream {} }
        var fields = HTTPFields()
        fields[.retryAfter] = answer.retryAfter
        return Response(
            status: .init(code: answer.status),
            headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }
}
