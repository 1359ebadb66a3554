public import Dionysus

import struct Foundation.UUID

/// Checks the rules of a process manager, without any database.
///
///     try ProcessSpecification(Expiry())
///         .given(AdPublished(), in: ad)
///         .when(timer: "expire", of: "1")
///         .then { $0.append(AdExpired(), to: ad) }
public struct ProcessSpecification<Manager: ProcessManager>: Sendable {
    private let manager: Manager
    private var states: [String: Manager.State] = [:]
    private var ended: Set<String> = []
    private var positions: [StreamName: Int64] = [:]

    /// Creates a specification without any process.
    public init(_ manager: Manager) { self.manager = manager }

    /// Adds an event that has been handled before.
    /// - Parameters:
    ///   - event: The event.
    ///   - stream: Its stream.
    /// - Throws: What the manager throws.
    public func given(_ event: any Event, in stream: StreamName) throws -> ProcessSpecification {
        var copy = self
        _ = try copy.handle(event, stream)
        return copy
    }

    /// Gives an event.
    /// - Parameters:
    ///   - event: The event.
    ///   - stream: Its stream.
    /// - Throws: What the manager throws.
    public func when(_ event: any Event, in stream: StreamName) throws -> Outcome {
        var copy = self
        return Outcome(effects: try copy.handle(event, stream))
    }

    /// Lets a timer be due.
    /// - Parameters:
    ///   - name: What it was set for.
    ///   - process: The process that has set it.
    ///   - data: What it was given.
    /// - Throws: What the manager throws.
    public func when(timer name: String, of process: String, _ data: JSON = .null) throws -> Outcome {
        guard var state = states[process], !ended.contains(process) else { return Outcome(effects: ProcessEffects()) }
        var effects = ProcessEffects()
        let timer = ProcessTimer(id: UUID(), processID: process, name: name, dueAt: .now, data: data)
        try manager.handle(timer, &state, &effects)
        return Outcome(effects: effects)
    }

    private mutating func handle(_ event: any Event, _ stream: StreamName) throws -> ProcessEffects {
        positions[stream, default: 0] += 1
        let recorded = try RecordedEvent(
            event,
            id: .newEventID(),
            stream: stream,
            position: positions[stream] ?? 1,
            globalPosition: nil
        )
        let (id, state, stops): (String, Manager.State?, Bool)
        switch manager.route(recorded) {
        case .ignore: return ProcessEffects()
        case .start(let process): (id, state, stops) = (process, states[process] ?? manager.initialState, false)
        case .proceed(let process): (id, state, stops) = (process, states[process], false)
        case .stop(let process): (id, state, stops) = (process, states[process], true)
        }
        var effects = ProcessEffects()
        guard var state, !ended.contains(id) else { return effects }
        try manager.handle(recorded, &state, &effects)
        if stops { effects.stop() }
        states[id] = state
        if effects.list.contains(where: { if case .stop = $0 { true } else { false } }) { ended.insert(id) }
        return effects
    }

    /// What an event or a timer has led to.
    public struct Outcome: Sendable {
        let effects: ProcessEffects

        /// Expects these effects, no others, in this order.
        /// - Parameter expected: Adds the effects.
        /// - Throws: ``SpecificationFailure`` that shows where they differ.
        public func then(_ expected: (inout ProcessEffects) -> Void) throws {
            var wanted = ProcessEffects()
            expected(&wanted)
            let difference = LineDifference.text(
                expected: wanted.list.map(\.description),
                actual: effects.list.map(\.description)
            )
            guard let difference else { return }
            throw SpecificationFailure(description: "the effects differ, expected (-) and actual (+):\n\(difference)")
        }

        /// Expects no effects.
        /// - Throws: ``SpecificationFailure`` that shows them.
        public func thenNothing() throws { try then { _ in } }
    }
}
