/// Whether changes are captured.
public enum CaptureMode: String, Sendable, Hashable, CaseIterable {
    /// They are, as each model declares.
    case enabled
    /// They are not: migrating removes all triggers, and an ``OutboxRecorder`` records nothing.
    case disabled
}
