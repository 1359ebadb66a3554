import Dionysus
import DionysusSchemas
import Synchronization

/// The readers of topics whose messages are not all envelopes in JSON, made when the first message of each is read.
final class RecordReaders: Sendable {
    private let registry: SchemaRegistryClient?
    private let readers = Mutex<[String: RecordReader]>([:])

    init(_ registry: SchemaRegistryClient?) { self.registry = registry }

    /// The reader of a topic; nil for one of envelopes without a format.
    /// - Throws: ``DionysusError`` with code `declaration` or `configuration` for an encoding that can't be read.
    func reader(of topic: ConsumerTopic, named name: String) throws -> RecordReader? {
        if case .envelope(nil) = topic.encoding.shape { return nil }
        return try readers.withLock { readers in
            if let reader = readers[name] { return reader }
            let reader = try RecordReader(topic.encoding, registry: registry, topic: name)
            readers[name] = reader
            return reader
        }
    }
}
