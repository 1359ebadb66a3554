import Dionysus

extension ConsumerTopic {
    /// The messages of a batch as the topic's transformation leaves them.
    func transform(_ messages: [DecodedMessage]) throws -> [DecodedMessage] {
        guard let batchTransformation else { return messages }
        do {
            return
                switch batchTransformation.kind
            {
            case .latestUpdates: LatestUpdates.apply(messages)
            case .latestOfKey: LatestOfKey.apply(messages)
            case .custom(let transform): try transform(messages.map(IncomingMessage.init)).map(\.decoded)
            }
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
                if !openRuns.isEmpty { for record in records(in: message) { openRuns[record] = nil } }
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
        // Nearly all messages have one event, of which no copy is made here.
        guard message.events.count == 1, message.events[0].name.change == .updated,
            message.events[0].records.count == 1, let id = message.events[0].records[0].id
        else { return nil }
        return (Record(model: message.events[0].model, id: id), message.events[0].records[0])
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
