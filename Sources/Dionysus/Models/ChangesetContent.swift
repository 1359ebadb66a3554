/// What the changesets of the outbox say about a model's changes.
public enum ChangesetContent: String, Sendable, Hashable, CaseIterable {
    /// Only what the relay needs: the old and the new partition key of a record that moves, and the foreign keys by which
    /// a deleted record is found.
    ///
    /// No other value is copied.
    case minimal
    /// The names of all changed columns, too.
    case names
    /// The old and the new values of all changed columns, too: `{"name": ["Villa", "Casa"]}`.
    case values
}
