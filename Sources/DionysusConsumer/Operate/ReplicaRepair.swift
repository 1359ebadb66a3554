/// What a repair has done, or would do, about the differences that a verification run has found.
package struct ReplicaRepair: Sendable, Hashable {
    /// The full name of the topic whose replica it is about.
    package let topic: String
    /// The rows that are too many, by model.
    package internal(set) var extra: [String: [String]] = [:]
    /// How many of them were removed.
    package internal(set) var removed = 0
    /// The records to be published again, by model.
    package internal(set) var records: [String: [String]] = [:]
    /// How many of them will be; nil where that was not asked for.
    package internal(set) var published: Int?

    /// How many rows are too many.
    package var extraCount: Int { extra.values.reduce(0) { $0 + $1.count } }
    /// How many records are to be published again.
    package var recordCount: Int { records.values.reduce(0) { $0 + $1.count } }
}

extension ConsumerVerifications {
    /// Repairs what a run has found, as far as no repair has done so.
    ///
    /// Rows that are too many are removed, unless a newer message has written them since. Records that are missing, stale
    /// or unreadable have to be published again by their source.
    /// - Parameters:
    ///   - dryRun: Whether only to tell what would be done.
    ///   - publish: Publishes records of a topic and a model again, and tells how many; nil if the source can't be
    ///     reached from here.
    /// - Returns: What was done.
    /// - Throws: ``/Dionysus/DionysusError`` with code `conflict` for a run that isn't completed; as for a transaction, and
    ///   what `publish` throws.
    package func repair(
        _ run: ComparedRun,
        dryRun: Bool = false,
        publishing publish: (@Sendable (_ topic: String, _ model: String, _ ids: [String]) async throws -> Int)?
    ) async throws -> ReplicaRepair {
        try run.requireCompleted()
        let open = try await open(run)
        var repair = ReplicaRepair(topic: run.topic)
        for difference in open where difference.kind == .extra {
            repair.extra[difference.model, default: []].append(difference.recordID)
        }
        let unpublished = open.filter { $0.kind != .extra }
        for (model, differences) in Dictionary(grouping: unpublished, by: \.publishedModel) {
            repair.records[model] = Set(differences.map(\.publishedID)).sorted()
        }
        guard !dryRun else { return repair }
        if !repair.extra.isEmpty { repair.removed = try await removeExtraRows(of: run) }
        guard let publish else { return repair }
        var published = 0
        for (model, ids) in repair.records { published += try await publish(run.topic, model, ids) }
        repair.published = published
        try await noteRepaired(unpublished)
        return repair
    }
}
