/// What the outbox's changesets contain about a model's changes.
public enum ChangesetContent: String, Sendable, Hashable, CaseIterable {
    /// Only what the relay needs: a moved record's old and new partition key, and a deleted record's foreign keys.
    ///
    /// No other value is copied.
    case minimal
    /// Also the names of all changed columns.
    case names
    /// Also the old and new values of all changed columns: `{"name": ["Villa", "Casa"]}`.
    case values
}
