import TestSupport

/// Something that goes wrong while the system works.
struct Fault: Sendable {
    /// Its name on the command line.
    let name: String
    /// What happens.
    let summary: String
    /// The systems that it can strike.
    let systems: Set<SystemKind>
    /// How long recovery may take beyond the usual: a member that was killed is missed only after its session's timeout.
    var patience = Duration.zero
    /// Whether it fills the file systems of an embedded system.
    var needsSmallDisks = false
    /// How often it strikes: whatever all relays have under way at such a moment may be published again.
    var blows = 20
    /// Whether a relay may lose a lane while its messages are under way, so that they come late.
    var losesLanes = true
    /// Lets it happen, and ends when it is over.
    let strike: @Sendable (System, inout SeededGenerator) async throws -> Void

    /// All faults.
    static let all =
        processFaults + postgresFaults + sqliteFaults + brokerFaults + groupFaults + logFaults + dataFaults
}

extension Set<SystemKind> {
    static let everywhere: Set = [.embedded, .servers, .bouncer]
    static let onServers: Set = [.servers, .bouncer]
}

/// A pause between blows.
func pause(_ range: ClosedRange<Int>, _ random: inout SeededGenerator) async throws {
    try await Task.sleep(for: .milliseconds(Int.random(in: range, using: &random)))
}
