/// What waits while a failed row waits for its next attempt.
public enum HoldPolicy: String, Sendable, Hashable, CaseIterable {
    /// Later rows of the same record.
    case holdRecord
    /// Later rows with the same partition key.
    case holdPartitionKey
    /// Nothing.
    case pass
}
