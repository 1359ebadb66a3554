import Crypto
import Dionysus
import Synchronization

import struct Foundation.Data

/// What has become of a batch's events, for those who want to hear of each.
///
/// A transaction may be tried several times: what the last try has noted counts, once it is committed.
final class CheckpointNotes: Sendable {
    /// What has become of an event.
    enum Outcome: Sendable, Hashable {
        /// The event log had it already.
        case repeated
        /// It stands in the event log now.
        case acknowledged
        /// The event log doesn't keep it.
        case skipped
    }

    private let notes = Mutex<[(event: IncomingEvent, outcome: Outcome)]>([])

    /// Notes what a try has made of the events.
    func note(_ outcomes: [(event: IncomingEvent, outcome: Outcome)]) { notes.withLock { $0 = outcomes } }

    var all: [(event: IncomingEvent, outcome: Outcome)] { notes.withLock { $0 } }
}

extension EventCheckpoint.Subject {
    init(_ event: IncomingEvent, listenerID: String, groupID: String, retryCount: Int) {
        let message = event.message
        self.init(
            listenerID: listenerID,
            groupID: groupID,
            topic: event.topic,
            key: message.key.flatMap { String(validating: $0, as: UTF8.self) },
            partition: message.source.partition,
            offset: message.offset,
            retryCount: retryCount,
            checksum: Insecure.MD5.hash(data: Data(EventLogEntry.wire(event))).hexadecimal
        )
    }
}
