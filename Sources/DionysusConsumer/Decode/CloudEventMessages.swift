import Dionysus

/// Takes messages out of the CloudEvents that hold them.
///
/// What comes out is the message that the topic's encoding would have without them: the value is the event's data, the
/// attributes are headers, and id, version and name of the event stand under Dionysus' own names.
struct CloudEventOpening: Sendable {
    /// The topic's namespace, before the names of its events.
    let namespace: String?
    /// Whether messages hold records, which an event without data can end.
    let takesRecords: Bool

    /// Opens messages; those that hold no event stay as they are.
    func open(_ messages: [ConsumedMessage]) -> (messages: [ConsumedMessage], failures: [FailedMessage]) {
        var opened: [ConsumedMessage] = []
        var failures: [FailedMessage] = []
        opened.reserveCapacity(messages.count)
        for message in messages {
            do {
                opened.append(try open(message))
            } catch {
                failures.append(FailedMessage(message: message, error: DionysusError(in: message, error), attempts: 1))
            }
        }
        return (opened, failures)
    }

    /// Opens a message.
    /// - Throws: ``DionysusError`` with code `malformed` for what says that it is an event, and isn't.
    func open(_ message: ConsumedMessage) throws -> ConsumedMessage {
        guard let event = try CloudEvent(message) else { return message }
        let name = eventName(event)
        let isStructured = CloudEvent.isStructured(message)
        if isStructured, event.data == nil, !takesRecords || name?.change != .destroyed {
            // Only in binary mode that is a tombstone.
            throw DionysusError(.malformed, "the CloudEvent has no data")
        }
        var result = message
        result.value = event.data
        if isStructured {
            result.headers.removeAll { header in
                let name = header.name.lowercased()
                return name == CloudEvent.contentType || name.hasPrefix(CloudEvent.headerPrefix)
            }
            result.headers += event.headers
        }
        func add(_ name: String, _ value: String?) {
            guard let value else { return }
            result.headers.append(MessageHeader(name, Array(value.utf8)))
        }
        add(HeaderName.eventID, event["id"])
        add(HeaderName.version, event[CloudEvent.version])
        if takesRecords { add(HeaderName.event, name?.description) }
        for trace in [HeaderName.traceParent, HeaderName.traceState]
        where !result.headers.contains(where: { $0.name == trace }) {
            add(trace, event[trace])
        }
        return result
    }

    /// What happened, if the event's type says so: `v3.rental_updated`.
    private func eventName(_ event: CloudEvent) -> EventName? {
        guard let type = event["type"], let namespace, type.hasPrefix(namespace + ".") else { return nil }
        return EventName(String(type.dropFirst(namespace.count + 1)))
    }
}
