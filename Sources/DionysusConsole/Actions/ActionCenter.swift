import Dionysus
import Logging
import Synchronization

/// Runs actions: writes them down first, shows how far they are, and lets them be stopped.
final class ActionCenter: Sendable {
    /// What an action does, step by step.
    struct Plan: Sendable {
        /// What is done, in words: `Retry 3 messages`.
        let title: String
        /// Its name in the audit log: `failures.retry`.
        let name: String
        /// What it is done to: ids or a filter.
        let target: String
        let matched: Int
        /// Where to go afterwards, without the base path.
        let returnPath: String
        /// What the action replaces.
        var original: [UInt8]?
        /// Does a part of the work.
        /// - Returns: What became of it; nil once nothing is left.
        let step: @Sendable () async throws -> [ActionProgress.Result]?
    }

    private struct State {
        var actions: [String: ActionProgress] = [:]
        var order: [String] = []
        var tasks: [String: Task<Void, Never>] = [:]
        /// Where those that run are written down.
        var audits: [String: AuditLog] = [:]
    }

    /// How many actions are remembered, and how many run at once.
    private static let (capacity, maxRunning) = (200, 8)

    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// The actions, the newest first.
    var all: [ActionProgress] { state.withLock { state in state.order.reversed().compactMap { state.actions[$0] } } }

    func action(_ id: String) -> ActionProgress? { state.withLock { $0.actions[id] } }

    /// Begins an action, and waits for a moment: most are done by then.
    /// - Returns: How far it is.
    /// - Throws: What keeps it from being written down, and `conflict` if too many run.
    func start(
        _ plan: Plan,
        by identity: Identity,
        in audit: AuditLog,
        then finish: @escaping @Sendable () async -> Void
    ) async throws -> ActionProgress {
        guard state.withLock({ $0.tasks.count < Self.maxRunning }) else {
            throw DionysusError(.conflict, "\(Self.maxRunning) actions are running", advice: "wait for one, or stop it")
        }
        let entry = try await audit.begin(
            plan.name,
            by: identity.name,
            on: plan.target,
            matched: plan.matched,
            original: plan.original
        )
        let id = Secret.random().prefix(12).description
        let progress = ActionProgress(
            id: id,
            title: plan.title,
            actor: identity.name,
            startedAt: .now,
            matched: plan.matched,
            returnPath: plan.returnPath
        )
        logger.notice("\(identity.name): \(plan.name) on \(plan.target.printable())")
        state.withLock { state in
            state.actions[id] = progress
            state.order.append(id)
            state.audits[id] = audit
            // It can't end before it is known here.
            state.tasks[id] = Task { [self] in
                await run(id, plan)
                let outcome = action(id)?.summary ?? "unknown"
                do { try await audit.finish(entry, outcome) } catch {
                    logger.error("the outcome of action \(entry) can't be written down: \(error)")
                }
                await finish()
                self.state.withLock { state in
                    state.actions[id]?.finishedAt = .now
                    state.tasks[id] = nil
                    state.audits[id] = nil
                }
            }
            while state.order.count > Self.capacity, let first = state.order.first(where: { state.tasks[$0] == nil }) {
                state.order.removeAll { $0 == first }
                state.actions[first] = nil
            }
        }
        let deadline = ContinuousClock.now + .milliseconds(1500)
        while .now < deadline, action(id)?.isFinished == false { try? await Task.sleep(for: .milliseconds(10)) }
        return action(id) ?? progress
    }

    /// Ends an action after the step that it is at; one that has ended is left as it is.
    /// - Throws: What keeps it from being written down.
    func stop(_ id: String, by identity: Identity) async throws {
        guard let audit = state.withLock({ $0.audits[id] }), let title = action(id)?.title else { return }
        let entry = try await audit.begin("actions.stop", by: identity.name, on: title, matched: 1)
        state.withLock { $0.actions[id]?.isStopping = true }
        try await audit.finish(entry, "it ends after its present step")
    }

    /// Ends all actions, because the console ends.
    func stopAll() async {
        let tasks = state.withLock { state in
            for id in state.tasks.keys { state.actions[id]?.isStopping = true }
            return Array(state.tasks.values)
        }
        for task in tasks { await task.value }
    }

    private func run(_ id: String, _ plan: Plan) async {
        do {
            while let results = try await plan.step() {
                let isStopping = state.withLock { state in
                    for result in results { state.actions[id]?.add(result) }
                    return state.actions[id]?.isStopping ?? true
                }
                if isStopping, (action(id)?.handled ?? 0) < plan.matched {
                    state.withLock { $0.actions[id]?.problem = "it was stopped" }
                    return
                }
            }
        } catch {
            state.withLock { $0.actions[id]?.problem = "\(error)" }
        }
    }
}
