public import Dionysus

/// A genesis run: what it publishes, and how far it is.
public struct GenesisRun: Sendable {
    /// What becomes of a run.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Its chunks are taken when they are due.
        case running
        /// It waits to be resumed.
        case paused
        /// A chunk could not be taken; ``GenesisRun/error`` says why. It can be resumed.
        case failed
        /// Everything is published, but for what is parked.
        case completed
        /// It was ended before its time.
        case cancelled
    }

    /// The number by which it is paused, resumed and cancelled.
    public let id: Int64
    /// The topic's full name.
    public let topic: String
    /// The model's name.
    public let model: String
    /// What becomes of it.
    public let state: State
    /// The records that it publishes.
    package let selection: GenesisSelection
    /// The name of what streams its records; nil if it asked for none.
    package var streamer: String? { selection.streamer }
    /// Whether replicas are compared with its records, instead of getting them.
    package var isVerification: Bool { selection.verification != nil }
    /// The first primary key, as text, of the records that a verification compares with; nil for no limit.
    package var firstKey: String? { selection.verification?.from }
    /// The last primary key, as text, of the records that a verification compares with; nil for no limit.
    package var lastKey: String? { selection.verification?.to }
    /// The time over which it is spread, or nil for none.
    package let spread: Duration?
    /// When it was started.
    public let createdAt: Timestamp
    /// When its first chunk is due; it moves by the time that a run was paused.
    public let startsAt: Timestamp
    /// When it was completed or cancelled.
    public let finishedAt: Timestamp?
    /// Why it has failed.
    public let error: String?
    /// Whether all of its chunks are known.
    package let isSplit: Bool
    /// How many chunks are known by now.
    package let chunks: Int64
    /// How many chunks' records have been written to the outbox.
    package let chunksQueued: Int64
    /// How many chunks have nothing left to be published.
    package let chunksDone: Int64
    /// How many records have been written to the outbox.
    public let recordsQueued: Int64
    /// How many of them have been published, or were found to be superfluous.
    public let recordsPublished: Int64
    /// The database's time when this was read.
    package let readAt: Timestamp

    /// The share of the chunks that are done, from 0 to 100; nil until all chunks are known.
    public var percent: Double? {
        if state == .completed { return 100 }
        guard isSplit else { return nil }
        return chunks == 0 ? 100 : Double(chunksDone) / Double(chunks) * 100
    }

    /// When it will end at the present pace; nil while that is unknown, and for a run that isn't running.
    public var estimatedEnd: Timestamp? {
        guard state == .running, isSplit else { return nil }
        if let spread, chunks > 0 {
            // The last chunk is due before the whole time has passed.
            let lastDue = startsAt + spread.inSeconds * Double(chunks - 1) / Double(chunks)
            if lastDue > readAt { return lastDue }
        }
        guard chunksDone > 0 else { return chunks == 0 ? readAt : nil }
        let elapsed = Double(readAt.microseconds(since: startsAt)) / 1_000_000
        return readAt + elapsed * Double(chunks - chunksDone) / Double(chunksDone)
    }

    /// How many chunks of a spread run are due at a time.
    static func chunksDue(_ chunks: Int64, startsAt: Timestamp, spread: Double?, at time: Timestamp) -> Int64 {
        guard let spread, spread > 0 else { return chunks }
        let elapsed = Double(time.microseconds(since: startsAt)) / 1_000_000
        guard elapsed >= 0 else { return 0 }
        return min(chunks, Int64(min(elapsed / spread, 1) * Double(chunks)) + 1)
    }
}

extension GenesisRun {
    init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        topic = try row.text(1) ?? ""
        model = try row.text(2) ?? ""
        state = try row.text(3).flatMap(State.init(rawValue:)) ?? .failed
        selection = GenesisSelection(json: try JSON(parsing: Array((try row.text(4) ?? "{}").utf8)))
        spread = try row.double(5).map { .seconds($0) }
        createdAt = try row.timestamp(6) ?? .now
        startsAt = try row.timestamp(7) ?? .now
        finishedAt = try row.timestamp(8)
        error = try row.text(9)
        isSplit = try row.integer(10) == 1
        chunks = try row.integer(11) ?? 0
        let isCompleted = state == .completed
        chunksQueued = try isCompleted ? chunks : row.count(12)
        chunksDone = try isCompleted ? chunks : row.count(13)
        recordsQueued = try row.count(14)
        recordsPublished = try recordsQueued - row.count(15)
        readAt = try row.timestamp(16) ?? .now
    }
}
