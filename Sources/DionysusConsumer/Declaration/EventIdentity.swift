/// What makes two deliveries of an event the same to the event log.
public enum EventIdentity: String, Sendable, Hashable, CaseIterable {
    /// The group, the topic, the partition, the offset, and the number of the event in its message.
    case position
    /// The group, the topic, and the content: event, model and payload.
    case checksum
}

extension ConsumerTopic {
    /// Stores every event that is handled in `dionysus_events`, so that it is handled once and can be handled again on
    /// purpose.
    ///
    /// An event that the log has is neither applied nor handled when it is delivered again, until the log's retention
    /// removes it. Events that a filter leaves out are not stored, and neither are those that concern no one: the
    /// model has no replica here and every handler has skipped the event.
    ///
    /// By ``EventIdentity/position`` (the default) an event is the same when it is read from the same place. By
    /// ``EventIdentity/checksum`` it is the same when it says the same, wherever it is read from: what a producer has sent
    /// twice is handled once. But a record that goes from A to B and back to A sends two events with equal content, and
    /// the second A is taken for the first, unless the payload tells them apart by a time or a counter. So choose it only
    /// for payloads that do.
    /// - Parameter identity: What makes two deliveries the same event.
    public func eventLog(identity: EventIdentity = .position) -> ConsumerTopic {
        changing { $0.eventIdentity = identity }
    }
}
