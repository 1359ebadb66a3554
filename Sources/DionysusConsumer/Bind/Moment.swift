import Dionysus

/// When something about a record was so, as far as a message says it.
struct Moment: Sendable, Hashable {
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
    func follows(_ other: Moment) -> Bool { source == other.source && offset > other.offset }
}

/// What is remembered of a record that was destroyed.
struct Tombstone: Sendable, Hashable {
    /// The destruction; its time is the record's time before it.
    var moment: Moment

    /// Whether an event tells of a record that was created again since.
    ///
    /// With versions on both sides they decide. Otherwise the event's time has to be later than the record's last one.
    /// Where that one is not known, because the record wasn't, a creation that follows in the partition is believed,
    /// and other events if they are later than the message that told of the destruction.
    func permits(_ event: Moment, creates: Bool) -> Bool {
        if let version = moment.version, let other = event.version {
            return event.follows(moment) ? other >= version : other > version
        }
        guard let time = event.time else { return event.follows(moment) }
        if let last = moment.time {
            // The same time with other digits is that of the record's last state, which must not come back.
            let unit = max(event.timeUnit, event.columnUnit, last.presumedUnit)
            if time.floored(to: unit) > last.floored(to: unit) { return true }
            return time > last && creates && event.follows(moment)
        }
        return creates && event.follows(moment) || time > moment.written
    }

    /// Whether a message with neither version nor time is one whose destruction is remembered already.
    ///
    /// The time of the message tells a repetition from the first messages of a topic that was made anew.
    func tells(of event: Moment) -> Bool {
        moment.source == event.source && event.offset <= moment.offset && event.written <= moment.written
    }

    /// What is remembered after another event has told of a destruction too.
    func merged(with other: Moment) -> Tombstone {
        var result = self
        if let version = moment.version, let newVersion = other.version {
            if newVersion < version { return self }
        }
        if moment.source != other.source || other.offset > moment.offset { result.moment = other }
        result.moment.version = [moment.version, other.version].compactMap(\.self).max()
        result.moment.time = [moment.time, other.time].compactMap(\.self).max()
        result.moment.written = max(moment.written, other.written)
        return result
    }
}

extension Timestamp {
    /// How finely a stored time was told apart from others, presumably: dionysus-rb's has no more than 3 digits.
    fileprivate var presumedUnit: Int64 { microseconds.isMultiple(of: 1_000) ? 1_000 : 1 }
}
