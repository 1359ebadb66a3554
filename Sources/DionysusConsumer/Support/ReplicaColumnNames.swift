/// The columns of a replica that Dionysus itself fills; those that a table lacks are left out, but for ``id``.
public struct ReplicaColumnNames: Sendable, Hashable {
    /// Stands before the names of links: `account` becomes `synced_account_id`.
    ///
    /// Default `synced_`.
    public var prefix = "synced_"
    /// The record's id at the source.
    ///
    /// It has a unique key. Default `synced_id`.
    public var id = "synced_id"
    /// When the record was created at the source.
    ///
    /// Default `synced_created_at`.
    public var createdAt = "synced_created_at"
    /// When the record was last changed at the source.
    ///
    /// Default `synced_updated_at`.
    public var updatedAt = "synced_updated_at"
    /// When the record was soft-deleted at the source.
    ///
    /// Default `synced_canceled_at`.
    public var canceledAt = "synced_canceled_at"
    /// How recent the record is.
    ///
    /// Without the column, or without versions in the messages, the records' times decide. Then a destruction that has
    /// no time and is published again removes what was created since, and a record that moves between two parents has
    /// to get a later time for that. Default `synced_version`.
    public var version = "synced_version"
    /// The whole payload as JSON, under the names it has here.
    ///
    /// Default `synced_data`.
    public var data = "synced_data"
    /// When the row was inserted here.
    ///
    /// Default `created_at`.
    public var localCreatedAt = "created_at"
    /// When the row was last changed here.
    ///
    /// Default `updated_at`.
    public var localUpdatedAt = "updated_at"

    /// Creates the default names.
    public init() {}

    var all: [String] { [id, createdAt, updatedAt, canceledAt, version, data, localCreatedAt, localUpdatedAt] }

    var faults: [String] {
        var faults: [String] = []
        if all.contains(where: \.isEmpty) { faults.append("columns must not have empty names") }
        if Set(all).count < all.count { faults.append("columns must have different names") }
        return faults
    }
}
