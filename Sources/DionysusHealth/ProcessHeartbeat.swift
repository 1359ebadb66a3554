public import Dionysus
import Foundation
import Synchronization

/// The heartbeat of a service of this process, from which the process itself tells how the service is.
///
///     let heartbeat = ProcessHeartbeat(.relay, passingOnTo: try HeartbeatFile(.relay, clientID: "bookings"))
///     instrumentation.heartbeat = heartbeat
///     …
///     if let reason = heartbeat.report(.ready).reason { print("not ready: \(reason)") }
///
/// Unlike ``HeartbeatFile`` it is never another process's.
public final class ProcessHeartbeat: Heartbeat {
    private struct State {
        var vital = VitalSign(.starting)
        var lastProgress = Timestamp.now
    }

    private let role: ServiceRole
    private let next: (any Heartbeat)?
    private let start: String?
    private let state = Mutex(State())

    /// Creates a heartbeat.
    /// - Parameters:
    ///   - role: What kind of service it is.
    ///   - next: Another heartbeat that gets every vital sign, too.
    public init(_ role: ServiceRole, passingOnTo next: (any Heartbeat)? = nil) {
        self.role = role
        self.next = next
        start = ServiceProcess.current?.start
    }

    public func record(_ vital: VitalSign) {
        state.withLock { state in
            if vital.madeProgress { state.lastProgress = .now }
            state.vital = vital
        }
        next?.record(vital)
    }

    /// Tells how the service is.
    /// - Parameters:
    ///   - question: What is asked.
    ///   - maxAge: How long ago it may have got on for the last time.
    /// - Returns: The answer.
    public func report(_ question: Health.Question = .ready, maxAge: Duration = .seconds(30)) -> Health.Report {
        let (vital, time) = state.withLock { ($0.vital, $0.lastProgress) }
        let record = HeartbeatRecord(
            processID: getpid(),
            processStart: start,
            role: role,
            time: time,
            state: vital.state,
            problem: vital.problem
        )
        return Health.report(on: record, question, maxAge)
    }
}
