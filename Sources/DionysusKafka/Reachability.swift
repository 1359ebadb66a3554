import Dionysus

/// Whether any broker can be reached, as far as a client has noticed: a value without I/O.
///
/// librdkafka says when it has lost the last broker, and not when it has found one again. So a loss is a suspicion that
/// is looked into, at once and then again and again until a broker answers. A connection that is merely made anew is
/// found by the first look, and is no outage.
struct Reachability {
    /// How long a look waits for an answer, and how long it is until the next.
    static let patience = Duration.seconds(1)
    private static let pause = Duration.seconds(2)

    /// What keeps the client from the brokers, if something does.
    private(set) var outage: DionysusError?
    /// When to look next; nil if there is no suspicion.
    private(set) var nextLook: ContinuousClock.Instant?

    /// librdkafka says that no broker is connected.
    mutating func suspect(at now: ContinuousClock.Instant) {
        if nextLook == nil { nextLook = now }
    }

    func isLookDue(at now: ContinuousClock.Instant) -> Bool { nextLook.map { $0 <= now } ?? false }

    /// A look has had a result.
    /// - Parameter problem: Why no broker has answered, in librdkafka's words; nil if one has.
    mutating func looked(_ problem: String?, at now: ContinuousClock.Instant) {
        outage = problem.map { problem in
            DionysusError(.brokerUnavailable, "no Kafka broker answers: \(problem)", isRetriable: true)
        }
        nextLook = problem == nil ? nil : now + Self.pause
    }
}
