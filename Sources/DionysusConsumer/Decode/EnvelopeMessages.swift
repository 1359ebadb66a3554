import Dionysus

extension MessageDecoder {
    /// Reads a message that holds an envelope in a format.
    /// - Parameter ofRecords: Whether the data of events are records, with links beside attributes.
    func envelope(
        _ message: ConsumedMessage,
        _ decoding: RecordDecoding,
        ofRecords: Bool,
        _ deserializer: inout Deserializer
    ) throws -> DecodedMessage {
        guard let value = message.value, !message.isTombstone else {
            let events = tombstonesDelete ? [try end(of: message, nil, decoding, &deserializer)] : []
            try checkTime(of: message, events)
            return DecodedMessage(message: message, version: try version(of: message), events: events)
        }
        let read = try decoding.value(value, message.headers)
        return try envelope(read.json, message, ofRecords: ofRecords, &deserializer)
    }
}
