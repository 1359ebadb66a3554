import ServiceLifecycle

/// Runs services while a body runs, and shuts them down afterwards.
func withServices<Value>(_ services: any Service..., body: () async throws -> Value) async throws -> Value {
    let group = ServiceGroup(
        configuration: .init(services: services.map { .init(service: $0) }, logger: quiet)
    )
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let value = try await body()
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return value
    }
}
