public import Dionysus
import Foundation
import Synchronization

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Sends errors to Sentry as envelopes.
///
///     var instrumentation = Instrumentation()
///     instrumentation.errorHandler = try SentryErrors(dsn: "https://KEY@sentry.example.com/42", environment: "production")
///
/// Errors are sent one after another in the background, including those that are queued when the handler is
/// deallocated. At most 100 are queued; further ones are counted, and the count is sent with the next error. Dionysus's
/// errors contain no payloads; for other errors only the type is sent.
public final class SentryErrors: ErrorHandler {
    private static let longestQueue = 100

    private let envelope: SentryEnvelope
    private let queue: AsyncStream<SentryEnvelope.Event>.Continuation
    private let dropped = Mutex(0)

    /// Creates the handler.
    /// - Parameters:
    ///   - dsn: The project's address: `https://KEY@HOST/PROJECT`.
    ///   - environment: The environment of the events.
    /// - Throws: ``SentryError`` for an invalid address.
    public init(dsn: String, environment: String = "production") throws {
        let envelope = try SentryEnvelope(dsn: dsn, environment: environment)
        self.envelope = envelope
        let (events, queue) = AsyncStream.makeStream(
            of: SentryEnvelope.Event.self,
            bufferingPolicy: .bufferingOldest(Self.longestQueue)
        )
        self.queue = queue
        Task {
            for await event in events { _ = try? await URLSession.shared.data(for: envelope.request(event)) }
        }
    }

    deinit { queue.finish() }

    public func handle(_ error: any Error, _ context: ErrorContext) {
        let event = SentryEnvelope.Event(error, context, dropped: dropped.withLock { $0 })
        dropped.withLock { dropped in
            if case .dropped = queue.yield(event) { dropped += 1 } else { dropped = 0 }
        }
    }
}

/// The reason why errors can't be sent.
public struct SentryError: Error, CustomStringConvertible {
    /// What happened, and what to do.
    public let description: String
}

/// An event in Sentry's format.
struct SentryEnvelope: Sendable {
    struct Event: Sendable {
        let id = UUID().uuidString.replacing("-", with: "").lowercased()
        let time = Date()
        let type: String
        let message: String
        let activity: String
        var tags: [String: String] = [:]

        init(_ error: any Error, _ context: ErrorContext, dropped: Int) {
            let known = error as? DionysusError
            type = known.map { "DionysusError.\($0.code)" } ?? "\(Swift.type(of: error))"
            message = known?.description ?? "\(Swift.type(of: error))"
            activity = context.activity
            tags["topic"] = context.topic
            tags["partition"] = context.partition.map { "\($0)" }
            tags["offset"] = context.offset.map { "\($0)" }
            tags["record"] = context.record
            tags["lane"] = context.lane.map { "\($0)" }
            tags["attempt"] = "\(context.attempt)"
            if dropped > 0 { tags["dropped"] = "\(dropped)" }
        }
    }

    private let url: URL
    private let key: String
    private let environment: String

    init(dsn: String, environment: String) throws {
        guard let parts = URLComponents(string: dsn), let key = parts.user, let host = parts.host,
            let project = parts.path.split(separator: "/").last, var address = URLComponents(string: "")
        else {
            throw SentryError(
                description: "the DSN is not https://KEY@HOST/PROJECT: copy it from the project's settings"
            )
        }
        address.scheme = parts.scheme
        address.host = host
        address.port = parts.port
        address.path = "/api/\(project)/envelope/"
        guard let url = address.url else {
            throw SentryError(description: "the DSN has no valid address")
        }
        self.url = url
        self.key = key
        self.environment = environment
    }

    func request(_ event: Event) throws -> URLRequest {
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        request.timeoutInterval = 10
        request.setValue("application/x-sentry-envelope", forHTTPHeaderField: "Content-Type")
        request.setValue(
            "Sentry sentry_version=7, sentry_key=\(key), sentry_client=dionysus/0.1",
            forHTTPHeaderField: "X-Sentry-Auth"
        )
        request.httpBody = try body(event)
        return request
    }

    private func body(_ event: Event) throws -> Data {
        let time = event.time.ISO8601Format()
        let payload = try Self.json([
            "event_id": event.id, "timestamp": time, "platform": "other", "level": "error", "logger": "dionysus",
            "environment": environment, "transaction": event.activity, "tags": event.tags,
            "exception": ["values": [["type": event.type, "value": event.message]]],
            // Errors of one kind in one place are grouped as one issue, whichever record they concern.
            "fingerprint": [event.type, event.activity, event.tags["topic"] ?? ""],
        ])
        let lines = [
            try Self.json(["event_id": event.id, "sent_at": time]),
            try Self.json(["type": "event", "length": payload.count]), payload,
        ]
        return Data(lines.joined(separator: Data("\n".utf8)))
    }

    private static func json(_ object: [String: Any]) throws -> Data {
        try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
    }
}
