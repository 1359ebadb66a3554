package import Dionysus

/// The kinds of services that have a heartbeat.
public enum ServiceRole: String, Sendable, Hashable, CaseIterable {
    /// The outbox worker.
    case relay
    /// The consumer.
    case consumer
}

/// What a heartbeat file says.
package struct HeartbeatRecord: Sendable, Hashable {
    /// The process that wrote it.
    package let processID: Int32
    /// When that process began, in whatever the system counts.
    let processStart: String?
    /// What kind of service it is.
    package let role: ServiceRole
    /// When it last got on.
    package let time: Timestamp
    /// Where it is in its life.
    package let state: VitalSign.State
    /// What keeps it from doing its work, if something does.
    package let problem: String?

    init(
        processID: Int32,
        processStart: String?,
        role: ServiceRole,
        time: Timestamp,
        state: VitalSign.State,
        problem: String?
    ) {
        self.processID = processID
        self.processStart = processStart
        self.role = role
        self.time = time
        self.state = state
        self.problem = problem
    }

    /// Reads a file's content; nil is returned if that is something else.
    init?(_ bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes),
            case .integer(let processID)? = json["pid"], let processID = Int32(exactly: processID), processID > 0,
            case .string(let role)? = json["role"], let role = ServiceRole(rawValue: role),
            case .string(let time)? = json["time"], let time = Timestamp(time),
            case .string(let state)? = json["state"], let state = VitalSign.State(rawValue: state)
        else { return nil }
        func text(_ member: String) -> String? {
            if case .string(let text)? = json[member] { text } else { nil }
        }
        self.init(
            processID: processID,
            processStart: text("started"),
            role: role,
            time: time,
            state: state,
            problem: text("reason")
        )
    }

    var json: JSON {
        .object([
            "pid": .integer(Int64(processID)),
            "started": processStart.map(JSON.string) ?? .null,
            "role": .string(role.rawValue),
            "time": .string(time.description),
            "state": .string(state.rawValue),
            "reason": problem.map(JSON.string) ?? .null,
        ])
    }
}
