/// How a model's changes are captured.
public enum CaptureMethod: String, Sendable, Hashable, CaseIterable {
    /// By triggers on the model's table, which capture every writer's changes.
    case triggers
    /// By the application, which records its own changes in the transaction that makes them.
    ///
    /// Changes that other programs make are not captured.
    case application
    /// By a poll that the producer declares, because the table can have no triggers.
    ///
    /// What a poll can't see, such as most deletions, is not captured.
    case polling
}
