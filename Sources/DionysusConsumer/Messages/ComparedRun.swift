package import Dionysus

/// A verification run as a consumer sees it.
package struct ComparedRun: Sendable, Hashable {
    /// How the comparison stands.
    package enum State: String, Sendable, Hashable, CaseIterable {
        /// Messages are compared as they come.
        case comparing
        /// The source has published all of them.
        case ended
        /// What seemed to differ is looked at again, once the consumer has applied what the topic held at the end.
        case rechecking
        /// The differences are known.
        case completed
        /// The run was cancelled at its source.
        case cancelled
    }

    /// The full name of the topic whose replica is compared.
    package let topic: String
    /// The run among all runs of all sources.
    package let name: String
    /// The number that it has at its source.
    package let number: Int64
    /// The model's name on the wire; nil until it is known.
    package let model: String?
    /// The first primary key, as text, of the records that are compared with; nil for no limit, and until the end is known.
    package let firstKey: String?
    /// The last primary key, as text, of the records that are compared with; nil for no limit, and until the end is known.
    package let lastKey: String?
    /// How the comparison stands.
    package let state: State
    /// How many messages of records have been compared.
    package let records: Int64
    /// How many chunks' keys have been compared.
    package let chunks: Int64
    /// How many chunks there are; nil until the source has published all of them.
    package let chunksTotal: Int64?
    /// How many messages and rows seem to differ and are to be looked at again.
    package let suspects: Int64
    /// How many differences there are of each kind; empty until the run is completed.
    package let counts: [Difference.Kind: Int64]
    /// When the first of its messages was compared.
    package let startedAt: Timestamp
    /// When the differences were known.
    package let finishedAt: Timestamp?

    /// How many differences there are; nil until the run is completed.
    package var differences: Int64? { state == .completed ? counts.values.reduce(0, +) : nil }

    /// Whether all records of the model are compared with, as far as is known.
    package var isWhole: Bool { firstKey == nil && lastKey == nil }

    var verificationTopic: String { VerificationMarker.topic(of: topic) }

    static let columns = """
        topic, run, number, model, state, records, chunks, chunks_total,
        (SELECT count(*) FROM dionysus_suspects s WHERE s."group" = t."group" AND s.topic = t.topic AND s.run = t.run),
        missing, stale, extra, unreadable, started_at, finished_at, first_key, last_key
        """

    init(_ row: Row) throws {
        let full = try row.text(0) ?? ""
        topic =
            full.hasSuffix(VerificationMarker.topicSuffix)
            ? String(full.dropLast(VerificationMarker.topicSuffix.count)) : full
        name = try row.text(1) ?? ""
        number = try row.integer(2) ?? 0
        model = try row.text(3)
        state = try row.text(4).flatMap(State.init(rawValue:)) ?? .comparing
        records = try row.integer(5) ?? 0
        chunks = try row.integer(6) ?? 0
        chunksTotal = try row.integer(7)
        suspects = try row.integer(8) ?? 0
        var counts: [Difference.Kind: Int64] = [:]
        for (column, kind) in zip(9..., [Difference.Kind.missing, .stale, .extra, .unreadable]) {
            counts[kind] = try row.integer(column)
        }
        self.counts = counts
        startedAt = try row.timestamp(13) ?? .now
        finishedAt = try row.timestamp(14)
        firstKey = try row.text(15)
        lastKey = try row.text(16)
    }

    /// A repair is for what is known to differ.
    func requireCompleted() throws {
        guard state != .completed else { return }
        throw DionysusError(
            .conflict,
            "verification run \(number) of topic \(topic) is \(state.rawValue), so what differs isn't known yet",
            advice: "wait until it is completed"
        )
    }
}
