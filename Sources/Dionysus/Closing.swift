/// Runs a body and then closes what it used, whether or not it has thrown.
package func closing<Result>(
    _ close: () async -> Void,
    after body: () async throws -> Result
) async rethrows -> Result {
    do {
        let result = try await body()
        await close()
        return result
    } catch {
        await close()
        throw error
    }
}
