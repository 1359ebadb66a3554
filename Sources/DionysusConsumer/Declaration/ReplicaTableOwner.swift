/// Who creates the tables of a replica.
public enum ReplicaTableOwner: String, Sendable, Hashable, CaseIterable {
    /// The application, by its migrations.
    case application
    /// `migrate`, from the contract: it creates tables and adds columns.
    case managed
}
