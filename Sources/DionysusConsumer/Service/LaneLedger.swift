import Dionysus

/// Which messages of a partition its virtual lanes have finished.
///
/// It is a value and touches neither broker nor database.
struct LaneLedger: Sendable {
    private struct Lane: Sendable {
        /// Messages of the lane below this offset are finished, by what the database says.
        var stored: Int64
        /// The offsets of messages that were handed out and are not finished, in ascending order.
        var unfinished: [Int64] = []
    }

    private var lanes: [Lane]
    /// The offset that follows the last message that was looked at.
    private var seen: Int64
    /// What is remembered of messages that were looked at, in ascending order.
    private var marks: [LogMark] = []
    /// The offset of the partition in the database.
    private(set) var flushed: Int64
    private var isFlushing = false
    private var lastFlush: ContinuousClock.Instant

    /// - Parameters:
    ///   - position: What the database says.
    init(_ position: StoredPosition, now: ContinuousClock.Instant = .now) {
        lanes = position.laneOffsets.map { Lane(stored: $0) }
        seen = position.next
        flushed = position.next
        lastFlush = now
    }

    /// What the database says, once every lane is idle.
    var position: StoredPosition { StoredPosition(next: flushed, laneOffsets: lanes.map(\.stored)) }

    /// The lane of a message: that of its key, so that messages with one key stay in their order.
    ///
    /// Those without a key share a lane.
    func lane(of message: ConsumedMessage) -> Int {
        message.key.map { Int(Partitioner.murmur2.partition(of: $0, partitions: Int32(lanes.count))) } ?? 0
    }

    /// The offset that a lane's next batch has to find in the database.
    func stored(of lane: Int) -> Int64 { lanes[lane].stored }

    /// Notes that a message is to be handed out to its lane.
    /// - Returns: false if it has been finished before.
    mutating func admit(_ message: ConsumedMessage, to lane: Int) -> Bool {
        seen = max(seen, message.offset + 1)
        guard message.offset >= lanes[lane].stored else { return false }
        lanes[lane].unfinished.append(message.offset)
        return true
    }

    /// Notes what has been looked at.
    mutating func note(_ taken: QueuedMessages) {
        if let last = taken.messages.last { marks.append(LogMark(last)) }
        if let end = taken.end { seen = max(seen, end) }
    }

    /// Notes that a lane's messages below an offset are finished, and that the database says so.
    mutating func finish(_ lane: Int, below next: Int64) {
        lanes[lane].stored = next
        let finished = lanes[lane].unfinished.prefix { $0 < next }.count
        lanes[lane].unfinished.removeFirst(finished)
    }

    /// Whether all messages that were handed out are finished.
    var isIdle: Bool { lanes.allSatisfy(\.unfinished.isEmpty) }

    /// The first offset that may be unfinished: all messages below it are finished.
    var prefix: Int64 { lanes.compactMap(\.unfinished.first).min() ?? seen }

    /// Whether to move the partition's offset now: when every lane is idle, else once a second.
    /// - Returns: From where to where, with the last message before that of which something is remembered.
    mutating func beginFlush(now: ContinuousClock.Instant = .now) -> (from: Int64, to: Int64, mark: LogMark?)? {
        guard !isFlushing, prefix > flushed, isIdle || now - lastFlush >= .seconds(1) else { return nil }
        isFlushing = true
        lastFlush = now
        let passed = marks.prefix { $0.offset < prefix }
        marks.removeFirst(passed.count)
        return (flushed, prefix, passed.last)
    }

    /// Notes that the partition's offset was moved.
    mutating func endFlush(at offset: Int64) {
        isFlushing = false
        flushed = offset
    }
}
