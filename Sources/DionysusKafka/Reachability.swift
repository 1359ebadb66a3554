import Dionysus
import Synchronization

/// Whether any broker is reachable and accepts the client, as far as the client knows: a value without I/O.
///
/// librdkafka reports the loss of the last broker, but not the recovery. So a loss is treated as a suspicion and
/// checked, at once and then repeatedly until a broker answers. If the client merely reconnects, the first check
/// succeeds, and there is no outage.
struct Reachability {
    /// The timeout of a check, and the interval between checks.
    static let patience = Duration.seconds(1)
    private static let pause = Duration.seconds(2)
    /// How long a refusal remains valid: librdkafka repeats it after half a minute.
    private static let memory = Duration.seconds(40)

    /// The client's problem with the brokers, if any.
    private(set) var outage: DionysusError?
    /// When to check next; nil without a suspicion.
    ///
    /// The first check finds clients that are always rejected.
    private(set) var nextLook: ContinuousClock.Instant? = .now
    /// The reason why the last failed connection was refused, if it was.
    private var refusal: DionysusError?
    /// librdkafka's last message about a failed connection.
    private(set) var reason: String?
    /// Why a broker that others advertise refuses this client, and when librdkafka last reported it.
    ///
    /// The others may answer all the time: the certificate may lack only the host in `advertised.listeners`.
    private var refusalOfNamed: (error: DionysusError, at: ContinuousClock.Instant)?
    /// Whether brokers answer, although an advertised one refuses the client.
    private(set) var isRefusedByNamed = false
    private var isSuspected = false
    /// Whether a broker has ever answered.
    private var hasBeenServed = false

    /// librdkafka reports that no broker is connected.
    mutating func suspect(at now: ContinuousClock.Instant) {
        isSuspected = true
        if nextLook == nil { nextLook = now }
    }

    /// A connection has failed.
    /// - Parameter text: librdkafka's message.
    mutating func failed(_ text: String, at now: ContinuousClock.Instant) {
        reason = Refusal.words(of: text)
        refusal = Refusal.read(text, hasBeenServed: hasBeenServed)
        guard let refusal else { return }
        if !text.contains("/bootstrap: ") { refusalOfNamed = (refusal, now) }
        suspect(at: now)
    }

    func isLookDue(at now: ContinuousClock.Instant) -> Bool { nextLook.map { $0 <= now } ?? false }

    /// A check has finished.
    /// - Parameter problem: librdkafka's reason why no broker answered; nil if one did.
    mutating func looked(_ problem: String?, at now: ContinuousClock.Instant) {
        guard let problem else {
            let kept = refusalOfNamed.flatMap { now - $0.at < Self.memory ? $0 : nil }
            served()
            guard let kept else { return }
            (refusalOfNamed, outage, nextLook) = (kept, kept.error, now + Self.pause)
            isRefusedByNamed = true
            return
        }
        nextLook = now + Self.pause
        isRefusedByNamed = false
        // Without a failure, connecting just takes longer.
        guard isSuspected || reason != nil else { return }
        outage =
            refusal
            ?? DionysusError(.brokerUnavailable, "no Kafka broker answers: \(reason ?? problem)", isRetriable: true)
    }

    /// A broker has answered a request.
    mutating func served() {
        self = Reachability()
        nextLook = nil
        hasBeenServed = true
    }
}

/// One client's view of the brokers' reachability.
final class Connectivity: Sendable {
    private let state = Mutex(Reachability())

    var outage: DionysusError? { state.withLock { $0.outage } }
    var reason: String? { state.withLock { $0.reason } }
    var nextLook: ContinuousClock.Instant? { state.withLock { $0.nextLook } }
    var isRefusedByNamed: Bool { state.withLock { $0.isRefusedByNamed } }

    func suspect() { state.withLock { $0.suspect(at: .now) } }
    func failed(_ text: String) { state.withLock { $0.failed(text, at: .now) } }
    func isLookDue() -> Bool { state.withLock { $0.isLookDue(at: .now) } }
    func served() { state.withLock { $0.served() } }

    /// - Returns: The client's current problem with the brokers.
    func looked(_ problem: String?) -> DionysusError? {
        state.withLock {
            $0.looked(problem, at: .now)
            return $0.outage
        }
    }
}
