import Dionysus

extension ConsumerFailures {
    /// Applies the message of a failure with another value, in a transaction that removes the failure.
    ///
    /// If it fails, the failure stays as it was, with its own value.
    /// - Parameters:
    ///   - id: The failure's id.
    ///   - value: The value that is applied instead of the message's own, as JSON whatever the topic's format is.
    /// - Returns: The result.
    /// - Throws: As ``retry(_:)``.
    package func retry(_ id: Int64, with value: [UInt8]) async throws -> FailureRetry {
        try await withPipeline { pipeline in
            guard var failure = try await stored(id) else { return FailureRetry(id: id, outcome: .notFound) }
            failure.message.value = value
            let resolution = Checkpoint.resolve(failure.resolution(in: queries.group))
            do {
                switch try await pipeline.applyAgain(failure.message, isEdited: true, completing: resolution) {
                case .done: break
                case .refused(.failureWaits(let other)): return FailureRetry(id: id, outcome: .waiting, behind: other)
                case .refused: return FailureRetry(id: id, outcome: .notFound)
                }
            } catch {
                guard let fault = DionysusError(ofMessages: error), !fault.isRetriable else { throw error }
                let described = DionysusError(once: failure.message, fault).description
                return FailureRetry(id: id, outcome: .failed, error: described)
            }
            return try await release(behind: failure, FailureRetry(id: id, outcome: .applied), pipeline)
        }
    }
}
