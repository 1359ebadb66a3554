import Dionysus
import DionysusConsumer
import DionysusProducer

/// What is asked of both sides about a record.
extension RecordReport {
    static func source(_ model: String, _ id: String, _ system: ObservedSystem) async -> Part<SourceRow?>? {
        guard let side = system.producer else { return nil }
        return await .reading { try await side.registry.sourceRow(of: model, id: id, in: side.database) }
    }

    static func preview(
        _ model: String,
        _ id: String,
        _ topic: String?,
        _ system: ObservedSystem
    ) async -> Part<MessagePreview?>? {
        guard let side = system.producer, let topic else { return nil }
        return await .reading {
            try await MessagePreview.of(
                model,
                id: id,
                in: topic,
                side.registry,
                database: side.database,
                settings: side.settings
            )
        }
    }

    static func replica(
        _ model: String,
        _ id: String,
        _ system: ObservedSystem
    ) async -> Part<(rows: [ReplicaRow], tables: [String])>? {
        guard let side = system.consumer else { return nil }
        return await .reading {
            try await ReplicaRecords(side.consumer, database: side.database, settings: side.settings)
                .rows(of: model, id: id)
        }
    }

    static func outbox(_ model: String, _ id: String, _ system: ObservedSystem) async -> Part<[OutboxEntry]>? {
        guard let side = system.producer else { return nil }
        return await .reading {
            try await OutboxInspector(database: side.database).rows(of: model, id: id, lookingAt: lookedAt)
        }
    }

    static func events(_ model: String, _ id: String, _ system: ObservedSystem) async -> Part<[LoggedEvent]>? {
        guard let side = system.consumer, side.outline.topics.contains(where: { $0.options.contains("event log") })
        else { return nil }
        return await .reading {
            try await side.database.recentEvents(
                of: side.settings.effectiveGroupID,
                EventLogFilter(modelName: model, entityID: id, limit: 100)
            )
        }
    }

    static func verification(
        _ model: String,
        _ id: String,
        _ system: ObservedSystem
    ) async -> Part<RecordVerification?>? {
        guard let side = system.consumer, side.outline.topics.contains(where: \.isVerified) else { return nil }
        let verifications = ConsumerVerifications(side.consumer, database: side.database, settings: side.settings)
        return await .reading {
            guard let run = try await verifications.lastRun(of: model, id: id) else { return nil }
            return RecordVerification(run: run, differences: try await verifications.differences(of: run, limit: 100))
        }
    }

    /// The dead-letter topics of some topics.
    static func deadLetters(of topics: [String], _ system: ObservedSystem) -> [String] {
        let consumed = system.consumer?.outline.topics.filter { topics.contains($0.name) } ?? []
        return Set(consumed.compactMap(\.deadLetters)).sorted()
    }

    /// Whether the consumer that is seen here compares a topic; another may, if none is.
    static func isVerified(_ topic: String, _ system: ObservedSystem) -> Bool {
        system.consumer?.outline.topics.contains { $0.name == topic && $0.isVerified } ?? true
    }

    static func failures(_ model: String, _ id: String, _ core: ConsoleCore) async -> Part<[RecordedFailure]>? {
        guard let list = core.failureList, let side = core.system.consumer else { return nil }
        let topics = side.outline.topics.filter { !$0.isPattern }.map(\.name)
        return await .reading {
            var found: [RecordedFailure] = []
            for topic in topics {
                found += try await list.list(FailureFilter(topic: topic, key: "\(model):\(id)", limit: 50))
            }
            return found
        }
    }
}
