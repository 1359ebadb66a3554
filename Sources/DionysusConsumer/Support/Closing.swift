/// Does work, and then closes what it used, whether it has succeeded or not.
func closing<T>(_ close: () async -> Void, after work: () async throws -> T) async throws -> T {
    do {
        let result = try await work()
        await close()
        return result
    } catch {
        await close()
        throw error
    }
}
