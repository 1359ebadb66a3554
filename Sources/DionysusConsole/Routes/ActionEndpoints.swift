import Dionysus

extension Endpoint {
    static let actions: [Endpoint] = [
        page("/actions", "What is being done") { call in .page(.actions(call.core.actions.all, call.frame)) },
        read("/actions", "What is being done, and was since the console started", answer: [("actions", "a list")]) {
            call in
            .json(.object(["actions": .array(call.core.actions.all.map(\.json))]))
        },
        page("/actions/{id}", "What an action did", isLive: true) { call in
            .page(.action(try find(call), call.frame, call))
        },
        read("/actions/{id}", "What an action did, and how far it is") { call in .json(try find(call).json) },
        form("/actions/{id}/stop", "Stops an action") { call in
            let action = try find(call)
            try await call.core.actions.stop(action.id, by: call.identity)
            return call.page(of: action)
        },
        change("/actions/{id}/stop", "Stops an action after its present step") { call in
            let action = try find(call)
            try await call.core.actions.stop(action.id, by: call.identity)
            return .json(action.json)
        },
    ]

    private static func find(_ call: Call) throws -> ActionProgress {
        guard let action = call.core.actions.action(try call.part("id")) else {
            throw DionysusError(.notFound, "there is no such action; the console forgets them when it is started anew")
        }
        return action
    }
}
