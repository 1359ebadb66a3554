package import DionysusConsumer

/// A column of replicas that Dionysus fills, which may have another name.
package enum ReplicaColumn: String, CaseIterable {
    case id
    case createdAt = "created_at"
    case updatedAt = "updated_at"
    case canceledAt = "canceled_at"
    case version
    case data
    case localCreatedAt = "local_created_at"
    case localUpdatedAt = "local_updated_at"
    case prefix

    package var summary: String {
        switch self {
        case .id: "The record's id at the source. `synced_id` by default."
        case .createdAt: "When it was created at the source. `synced_created_at` by default."
        case .updatedAt: "When it was last changed at the source. `synced_updated_at` by default."
        case .canceledAt: "When it was soft-deleted at the source. `synced_canceled_at` by default."
        case .version: "How recent the record is. `synced_version` by default."
        case .data: "The whole payload. `synced_data` by default."
        case .localCreatedAt: "When the row was inserted here. `created_at` by default."
        case .localUpdatedAt: "When the row was last changed here. `updated_at` by default."
        case .prefix: "What stands before the names of links. `synced_` by default."
        }
    }

    /// Where the name is kept.
    package var path: WritableKeyPath<ReplicaColumnNames, String> {
        switch self {
        case .id: \.id
        case .createdAt: \.createdAt
        case .updatedAt: \.updatedAt
        case .canceledAt: \.canceledAt
        case .version: \.version
        case .data: \.data
        case .localCreatedAt: \.localCreatedAt
        case .localUpdatedAt: \.localUpdatedAt
        case .prefix: \.prefix
        }
    }
}
