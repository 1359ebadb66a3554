import TestSupport

/// A fault that is injected while the system runs.
struct Fault: Sendable {
    /// Its name on the command line.
    let name: String
    /// Its description.
    let summary: String
    /// The systems to which it applies.
    let systems: Set<SystemKind>
    /// The additional time for recovery: a killed member is noticed only after its session timeout.
    var patience = Duration.zero
    /// Whether it fills the file systems of an embedded system.
    var needsSmallDisks = false
    /// How often it hits: the relays' running batches may be published again each time.
    var blows = 20
    /// Whether a relay may lose a lane while its messages are in flight, so that they arrive late.
    var losesLanes = true
    /// Injects the fault, and returns when it is over.
    let strike: @Sendable (System, inout SeededGenerator) async throws -> Void

    /// All faults.
    static let all =
        processFaults + postgresFaults + sqliteFaults + brokerFaults + groupFaults + logFaults + dataFaults
}

extension Set<SystemKind> {
    static let everywhere: Set = [.embedded, .servers, .bouncer]
    static let onServers: Set = [.servers, .bouncer]
}

/// A pause between hits.
func pause(_ range: ClosedRange<Int>, _ random: inout SeededGenerator) async throws {
    try await Task.sleep(for: .milliseconds(Int.random(in: range, using: &random)))
}
