import Dionysus

/// What happens to the messages of a batch before they are applied.
public struct BatchTransformation: Sendable {
    let apply: @Sendable ([DecodedMessage]) throws -> [DecodedMessage]

    init(apply: @escaping @Sendable ([DecodedMessage]) throws -> [DecodedMessage]) { self.apply = apply }

    /// A transformation that an application defines.
    ///
    ///     Topic("rentals").batchTransformation(
    ///         BatchTransformation { messages in messages.filter { !$0.events.isEmpty } }
    ///     )
    ///
    /// Messages that it leaves out are taken for done. It sees what the topic's filters accept, in the order of the
    /// partition. A batch is no fixed thing: delivered again, the same messages may come in other batches.
    /// - Parameter transform: Leaves messages out, changes their events, or puts them into another order. What it throws
    ///   is a failure of the messages, which are then tried in smaller batches and at last one by one.
    public init(_ transform: @escaping @Sendable ([IncomingMessage]) throws -> [IncomingMessage]) {
        apply = { messages in try transform(messages.map(IncomingMessage.init)).map(\.decoded) }
    }

    /// Of a record's consecutive updates, keeps only the newest, in the place of the last.
    ///
    /// Updates are consecutive when none of the record's other events stands between them. The newest is the one of
    /// the highest version where all have one, else of the latest time, else of the highest offset. Updates that
    /// don't carry the same attributes are all kept, since none of them stands for the others, and so are those that can't be
    /// compared: with and without a version, or with times of different numbers of digits.
    public static let latestUpdates = BatchTransformation(apply: LatestUpdates.apply)
}

extension ConsumerTopic {
    /// The messages of a batch as the topic's transformation leaves them.
    func transform(_ messages: [DecodedMessage]) throws -> [DecodedMessage] {
        guard let batchTransformation else { return messages }
        do {
            return try batchTransformation.apply(messages)
        } catch {
            throw DionysusError.ofApplication(error, "the batch transformation of topic \(name) failed")
        }
    }
}

enum LatestUpdates {
    private struct Record: Hashable {
        let model: String
        let id: JSON
    }

    static func apply(_ messages: [DecodedMessage]) -> [DecodedMessage] {
        guard messages.count > 1 else { return messages }
        var runs: [[Int]] = []
        var openRuns: [Record: Int] = [:]
        for (index, message) in messages.enumerated() {
            guard let (record, payload) = onlyUpdate(in: message) else {
                for record in records(in: message) { openRuns[record] = nil }
                continue
            }
            if let run = openRuns[record], let last = runs[run].last,
                let before = onlyUpdate(in: messages[last])?.payload, before.shape === payload.shape,
                before.timeUnit == payload.timeUnit, payload.carriesWhatItLists,
                (messages[last].version == nil) == (message.version == nil)
            {
                runs[run].append(index)
            } else {
                openRuns[record] = runs.count
                runs.append([index])
            }
        }
        var replacements: [Int: Int] = [:]
        var dropped: Set<Int> = []
        for run in runs where run.count > 1 {
            guard let place = run.last else { continue }
            replacements[place] = newest(of: run, in: messages)
            dropped.formUnion(run.dropLast())
        }
        guard !dropped.isEmpty else { return messages }
        return messages.indices.filter { !dropped.contains($0) }.map { messages[replacements[$0] ?? $0] }
    }

    /// The record of a message that holds one update and nothing else.
    private static func onlyUpdate(in message: DecodedMessage) -> (record: Record, payload: RecordPayload)? {
        guard message.events.count == 1, let event = message.events.first, event.name.change == .updated,
            event.records.count == 1, let payload = event.records.first, let id = payload.id
        else { return nil }
        return (Record(model: event.model, id: id), payload)
    }

    private static func records(in message: DecodedMessage) -> [Record] {
        message.events.flatMap { event in
            event.records.compactMap { record in record.id.map { Record(model: event.model, id: $0) } }
        }
    }

    private static func newest(of run: [Int], in messages: [DecodedMessage]) -> Int {
        let updates = run.compactMap { index in
            onlyUpdate(in: messages[index])
                .map { (index: index, version: messages[index].version, time: $0.payload.time) }
        }
        if updates.allSatisfy({ $0.version != nil }) { return latest(of: updates.map { ($0.index, $0.version ?? 0) }) }
        if updates.allSatisfy({ $0.time != nil }) {
            return latest(of: updates.map { ($0.index, $0.time?.microseconds ?? 0) })
        }
        return updates.last?.index ?? 0
    }

    /// The last of those that are highest.
    private static func latest(of updates: [(index: Int, rank: Int64)]) -> Int {
        updates.reduce(into: (index: 0, rank: Int64.min)) { best, update in
            if update.rank >= best.rank { best = update }
        }
        .index
    }
}
