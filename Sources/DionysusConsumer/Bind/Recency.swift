import Dionysus

/// When something about a record was so, as far as a message says it.
struct Recency: Sendable, Hashable {
    /// How recent the snapshot is.
    var version: Int64?
    /// When the record was last changed at the source.
    var time: Timestamp?
    /// How finely the payload tells times apart, in microseconds: 1000 where they have 3 digits, as dionysus-rb's.
    var timeUnit: Int64 = 1
    /// How finely the replica's column does.
    var columnUnit: Int64 = 1
    /// The partition of the message.
    var source: TopicPartition
    /// The offset of the message.
    var offset: Int64
    /// When the message was written.
    var written: Timestamp

    /// Whether it is older than the time of a record, as far as the coarser of the two can tell.
    ///
    /// What a replica stores was cut off to what its column holds, so that only the payload's own time can be too coarse. The
    /// column may have been rounded up by an earlier release.
    func isOlder(than stored: Timestamp) -> Bool {
        guard let time else { return false }
        let (latest, overflows) = time.microseconds.addingReportingOverflow(columnUnit / 2)
        return !overflows && latest < stored.floored(to: timeUnit).microseconds
    }

    /// Whether it comes later in the same partition than another.
    func follows(_ other: Recency) -> Bool { source == other.source && offset > other.offset }
}

/// What is remembered of a record that was destroyed.
struct Destruction: Sendable, Hashable {
    /// The destruction; its time is the record's time before it.
    var recency: Recency

    /// Whether an event shows that the record was created again since.
    ///
    /// With versions on both sides they decide. Otherwise the event's time has to be later than the record's last one.
    /// Where that one is not known, because the record wasn't, a creation that follows in the partition is believed,
    /// and other events if they are later than the message about the destruction.
    func permits(_ event: Recency, creates: Bool) -> Bool {
        if let version = recency.version, let other = event.version {
            return event.follows(recency) ? other >= version : other > version
        }
        guard let time = event.time else { return event.follows(recency) }
        if let last = recency.time {
            // The same time with other digits is that of the record's last state, which must not come back.
            let unit = max(event.timeUnit, event.columnUnit, last.presumedUnit)
            if time.floored(to: unit) > last.floored(to: unit) { return true }
            return time > last && creates && event.follows(recency)
        }
        return creates && event.follows(recency) || time > recency.written
    }

    /// Whether a message with neither version nor time is one whose destruction is remembered already.
    ///
    /// The time of the message tells a repetition from the first messages of a topic that was made anew.
    func isRepeated(by event: Recency) -> Bool {
        recency.source == event.source && event.offset <= recency.offset && event.written <= recency.written
    }

    /// What is remembered after another event about a destruction.
    func merged(with other: Recency) -> Destruction {
        var result = self
        if let version = recency.version, let newVersion = other.version {
            if newVersion < version { return self }
        }
        if recency.source != other.source || other.offset > recency.offset { result.recency = other }
        result.recency.version = [recency.version, other.version].compactMap(\.self).max()
        result.recency.time = [recency.time, other.time].compactMap(\.self).max()
        result.recency.written = max(recency.written, other.written)
        return result
    }
}

extension Timestamp {
    /// The presumed precision of a stored time: dionysus-rb's has no more than 3 digits.
    fileprivate var presumedUnit: Int64 { microseconds.isMultiple(of: 1_000) ? 1_000 : 1 }
}
