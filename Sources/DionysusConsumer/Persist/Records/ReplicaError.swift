import Dionysus

extension DionysusError {
    /// An error of statements that read and write replicas: if it concerns every message, it says so and of which models.
    static func ofReplicas(_ error: any Error, _ batches: [BoundBatch]) -> any Error {
        guard let known = error as? DionysusError, known.isRefusalOfAll else { return error }
        let tables = batches.flatMap(\.layouts).map(\.table)
        let models = Set(tables.map { "\($0.model) (table \($0.name))" }).sorted().joined(separator: ", ")
        return DionysusError(
            .replicaUnavailable,
            "the replica\(models.isEmpty ? "" : " of \(models)") can't be written: \(known.message)",
            advice: known.advice,
            underlying: known
        )
    }

    /// The same error, marked as one that is waited out.
    var waitedFor: DionysusError {
        var copy = self
        copy.isRetriable = true
        return copy
    }
}
