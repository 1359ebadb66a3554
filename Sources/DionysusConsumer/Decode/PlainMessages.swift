import Dionysus
import DionysusSchemas

extension MessageDecoder {
    /// Reads a message that is no model's.
    func plain(_ message: ConsumedMessage, _ decoding: RecordDecoding) throws -> DecodedMessage {
        let key = try decoding.reader.key(message, decoding.failures)
        let value = try message.value.map { try decoding.value($0, message.headers).json }
        return DecodedMessage(
            message: message,
            version: nil,
            events: [],
            plain: PlainContent(value: value, key: key)
        )
    }
}
