/// A message of a verification run that is about the run, and not about a record.
///
/// It stands in the verification topic beside the messages of the records, with the header
/// ``HeaderName/verificationMarker``. It needs no order among them: what it says holds for itself.
package struct VerificationMarker: Sendable, Hashable {
    /// What a marker tells.
    package enum Kind: String, Sendable, Hashable {
        /// A chunk's keys have been read: these are all there were.
        case chunk
        /// All records are published, and so is everything that had been captured by then.
        case end
        /// The run was cancelled: what it has found doesn't count.
        case cancelled
    }

    /// A range of primary keys as text.
    package struct Keys: Sendable, Hashable {
        /// The keys above this one; nil for no such limit.
        package var after: String?
        /// The keys from this one on; nil for no such limit.
        package var from: String?
        /// The keys up to this one; nil for no such limit.
        package var until: String?

        package init(after: String? = nil, from: String? = nil, until: String? = nil) {
            self.after = after
            self.from = from
            self.until = until
        }
    }

    /// The run among all runs of all sources.
    package var run: String
    /// The run's number at its source.
    package var number: Int64
    package var kind: Kind
    /// The topic whose replica is compared.
    package var topic: String
    /// The model's name.
    package var model: String
    /// Every record that was published with this version or a lower one had been created before the keys were read.
    package var version: Int64
    /// The number of the chunk, from zero; at the end, the number of all chunks.
    package var chunk: Int64
    /// The range; at the end, what comes after the last chunk.
    package var keys: Keys
    /// The keys of the records in the range, soft-deleted ones among them.
    package var ids: [String]

    package init(
        run: String,
        number: Int64,
        kind: Kind,
        topic: String,
        model: String,
        version: Int64,
        chunk: Int64,
        keys: Keys = Keys(),
        ids: [String] = []
    ) {
        self.run = run
        self.number = number
        self.kind = kind
        self.topic = topic
        self.model = model
        self.version = version
        self.chunk = chunk
        self.keys = keys
        self.ids = ids
    }
}

extension VerificationMarker {
    /// The name of the topic that the records of a topic are compared by.
    package static func topic(of topic: String) -> String { topic + topicSuffix }

    package static let topicSuffix = "_verification"

    /// The longest name of a run that is read.
    private static let longestRun = 200

    /// The message's value.
    package var json: JSON {
        func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
        return .object([
            "run": .string(run), "number": .integer(number), "marker": .string(kind.rawValue), "topic": .string(topic),
            "model": .string(model), "version": .integer(version), "chunk": .integer(chunk),
            "after": text(keys.after), "from": text(keys.from), "until": text(keys.until),
            "count": .integer(Int64(ids.count)), "ids": .array(ids.map(JSON.string)),
        ])
    }

    /// The message's headers.
    package var headers: [MessageHeader] {
        [
            MessageHeader(HeaderName.verification, Array(run.utf8)),
            MessageHeader(HeaderName.verificationMarker, Array(kind.rawValue.utf8)),
        ]
    }

    /// Reads a message's value.
    /// - Returns: nil for what is no marker.
    package init?(value: [UInt8]) {
        guard let json = try? JSON(parsing: value), case .string(let run)? = json["run"],
            run.utf8.count <= Self.longestRun, case .integer(let number)? = json["number"],
            case .string(let kindText)? = json["marker"], let kind = Kind(rawValue: kindText),
            case .string(let topic)? = json["topic"], case .string(let model)? = json["model"],
            case .integer(let version)? = json["version"], case .integer(let chunk)? = json["chunk"],
            case .array(let elements)? = json["ids"], case .integer(let count)? = json["count"]
        else { return nil }
        func text(_ name: String) -> String? { if case .string(let text)? = json[name] { text } else { nil } }
        let ids = elements.compactMap { element -> String? in
            if case .string(let id) = element { id } else { nil }
        }
        // A list that was cut short would make every record that is missing in it one too many in the replica.
        guard ids.count == elements.count, count == Int64(ids.count) else { return nil }
        self.init(
            run: run,
            number: number,
            kind: kind,
            topic: topic,
            model: model,
            version: version,
            chunk: chunk,
            keys: Keys(after: text("after"), from: text("from"), until: text("until")),
            ids: ids
        )
    }
}
