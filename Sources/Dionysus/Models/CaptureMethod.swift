/// How changes of a model get into the outbox.
public enum CaptureMethod: String, Sendable, Hashable, CaseIterable {
    /// By triggers on the model's table, whoever makes the change.
    case triggers
    /// By the application, which records its changes itself, in the transaction that makes them.
    ///
    /// Changes that other programs make are not captured.
    case application
}
