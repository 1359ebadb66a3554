import Dionysus
import Synchronization

/// Whether any broker can be reached and lets the client in, as far as a client has noticed: a value without I/O.
///
/// librdkafka says when it has lost the last broker, and not when it has found one again. So a loss is a suspicion that
/// is looked into, at once and then again and again until a broker answers. A connection that is merely made anew is
/// found by the first look, and is no outage.
struct Reachability {
    /// How long a look waits for an answer, and how long it is until the next.
    static let patience = Duration.seconds(1)
    private static let pause = Duration.seconds(2)
    /// How long a broker that refused the client is taken to do so: librdkafka says the same again after half a minute.
    private static let memory = Duration.seconds(40)

    /// What keeps the client from the brokers, if something does.
    private(set) var outage: DionysusError?
    /// When to look next; nil if there is no suspicion.
    ///
    /// The first look is for those who are never let in.
    private(set) var nextLook: ContinuousClock.Instant? = .now
    /// Why the last connection that failed was refused, if it was.
    private var refusal: DionysusError?
    /// What librdkafka last said of a connection that failed.
    private(set) var reason: String?
    /// Why a broker that others have named refuses this client, and when librdkafka last said so.
    ///
    /// Those others may answer all the while: the certificate may lack the host in `advertised.listeners` only.
    private var refusalOfNamed: (error: DionysusError, at: ContinuousClock.Instant)?
    /// Whether brokers answer, though one that they have named refuses the client.
    private(set) var isRefusedByNamed = false
    private var isSuspected = false
    /// Whether a broker has ever answered.
    private var hasBeenServed = false

    /// librdkafka says that no broker is connected.
    mutating func suspect(at now: ContinuousClock.Instant) {
        isSuspected = true
        if nextLook == nil { nextLook = now }
    }

    /// A connection has failed.
    /// - Parameter text: What librdkafka says.
    mutating func failed(_ text: String, at now: ContinuousClock.Instant) {
        reason = Refusal.words(of: text)
        refusal = Refusal.read(text, hasBeenServed: hasBeenServed)
        guard let refusal else { return }
        if !text.contains("/bootstrap: ") { refusalOfNamed = (refusal, now) }
        suspect(at: now)
    }

    func isLookDue(at now: ContinuousClock.Instant) -> Bool { nextLook.map { $0 <= now } ?? false }

    /// A look has had a result.
    /// - Parameter problem: Why no broker has answered, in librdkafka's words; nil if one has.
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
        // Until something has failed, connecting just takes its time.
        guard isSuspected || reason != nil else { return }
        outage =
            refusal
            ?? DionysusError(.brokerUnavailable, "no Kafka broker answers: \(reason ?? problem)", isRetriable: true)
    }

    /// A broker has done what was asked of it.
    mutating func served() {
        self = Reachability()
        nextLook = nil
        hasBeenServed = true
    }
}

/// One client's view of whether it can reach the brokers.
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

    /// - Returns: What keeps the client from the brokers by now.
    func looked(_ problem: String?) -> DionysusError? {
        state.withLock {
            $0.looked(problem, at: .now)
            return $0.outage
        }
    }
}
