import Dionysus

/// A message whose value has been read.
struct DecodedMessage: Sendable {
    let message: ConsumedMessage
    /// How recent its snapshot is, if it says so.
    let version: Int64?
    var events: [DecodedEvent]
    /// What it holds, if it is no model's.
    var plain: PlainContent?
}

/// One event of a message.
struct DecodedEvent: Sendable {
    let name: EventName
    let model: String
    let records: [RecordPayload]
}

extension [DecodedMessage] {
    /// Those that have not failed.
    func without(_ failures: [FailedMessage]) -> [DecodedMessage] {
        guard !failures.isEmpty else { return self }
        let failed = Set(failures.map(\.message.offset))
        return filter { !failed.contains($0.message.offset) }
    }

    /// The models of which records were destroyed.
    var destroyedModels: Set<String> {
        reduce(into: []) { models, message in
            for event in message.events where event.name.change == .destroyed { models.insert(event.model) }
        }
    }

    /// The names of all models, also of those whose records came along in others.
    var modelNames: Set<String> {
        var names: Set<String> = []
        var last: String?
        func collect(_ record: RecordPayload) {
            for sideload in record.sideloads {
                names.insert(sideload.model)
                sideload.records.forEach(collect)
            }
        }
        for message in self {
            for event in message.events where !event.records.isEmpty {
                if event.model != last { names.insert(event.model) }
                last = event.model
                event.records.forEach(collect)
            }
        }
        return names
    }
}
