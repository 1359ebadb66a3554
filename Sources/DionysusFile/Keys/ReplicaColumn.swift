import DionysusConsumer

/// A column of replicas that Dionysus fills, which may have another name.
enum ReplicaColumn: String, CaseIterable {
    case id
    case createdAt = "created_at"
    case updatedAt = "updated_at"
    case canceledAt = "canceled_at"
    case version
    case data
    case localCreatedAt = "local_created_at"
    case localUpdatedAt = "local_updated_at"
    case prefix

    var summary: String {
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

    func rename(to name: String, in names: inout ReplicaColumnNames) {
        switch self {
        case .id: names.id = name
        case .createdAt: names.createdAt = name
        case .updatedAt: names.updatedAt = name
        case .canceledAt: names.canceledAt = name
        case .version: names.version = name
        case .data: names.data = name
        case .localCreatedAt: names.localCreatedAt = name
        case .localUpdatedAt: names.localUpdatedAt = name
        case .prefix: names.prefix = name
        }
    }
}
