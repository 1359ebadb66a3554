import Dionysus

/// A run that is to be worked on.
struct ActiveRun: Sendable {
    let id: Int64
    let topic: String
    let model: String
    let selection: GenesisSelection
    let context: OutboxContext
    let spread: Double?
    let chunks: Int64
    let isSplit: Bool
    let startsAt: Timestamp
    let createdAt: Timestamp
    /// The database's time.
    let now: Timestamp
    /// When its end was last announced; of a verification, when all of its records had been published.
    let announcedAt: Timestamp?
    /// The last key that was there when it began to be split.
    let splitUntil: String?

    init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        topic = try row.text(1) ?? ""
        model = try row.text(2) ?? ""
        selection = GenesisSelection(json: try JSON(parsing: Array((try row.text(3) ?? "{}").utf8)))
        context = OutboxContext(json: try JSON(parsing: Array((try row.text(4) ?? "{}").utf8)))
        spread = try row.double(5)
        chunks = try row.integer(6) ?? 0
        isSplit = try row.integer(7) == 1
        startsAt = try row.timestamp(8) ?? .now
        createdAt = try row.timestamp(9) ?? .now
        now = try row.timestamp(10) ?? .now
        announcedAt = try row.timestamp(11)
        splitUntil = try row.text(12)
    }

    /// Of a verification, the topic whose replicas are compared.
    var verifiedTopic: String {
        topic.hasSuffix(VerificationMarker.topicSuffix)
            ? String(topic.dropLast(VerificationMarker.topicSuffix.count)) : topic
    }

    /// How many of its chunks are due.
    ///
    /// When those of a spread run are due is known once it is split.
    var due: Int64 {
        if spread != nil, !isSplit { return 0 }
        return GenesisRun.chunksDue(chunks, startsAt: startsAt, spread: spread, at: now)
    }
}

extension RecordGroup {
    init(_ run: ActiveRun) { self.init(topic: run.topic, modelName: run.model) }
}
