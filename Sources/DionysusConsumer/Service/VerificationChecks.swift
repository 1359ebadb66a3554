import Dionysus

/// Looks again at what seemed to differ, once everything has been applied that the topic held when its source had
/// published the whole run.
struct VerificationChecks {
    /// How many suspects are looked at together.
    private static let batchSize = 500
    /// How many times that is done before messages are read on.
    private static let batchesAtOnce = 4
    /// How often runs that have ended are looked for.
    private static let interval = Duration.seconds(1)

    private let pipeline: ConsumerPipeline
    private let broker: any MessageBroker
    private let store: VerificationStore
    private var lastRun: ContinuousClock.Instant?

    init(_ pipeline: ConsumerPipeline, _ broker: any MessageBroker) {
        self.pipeline = pipeline
        self.broker = broker
        store = VerificationStore(group: pipeline.settings.effectiveGroupID)
    }

    private var database: any Database { pipeline.persister.database }

    /// Does what can be done now, unless that was done a moment ago.
    /// - Parameter isLast: Whether it must not wait for another time.
    mutating func run(isLast: Bool = false) async throws {
        guard pipeline.topics.verifiesAny else { return }
        let now = ContinuousClock.now
        if !isLast, let lastRun, now - lastRun < Self.interval { return }
        lastRun = now
        let runs = try await database.transaction(.snapshot) { [store] transaction in
            try transaction.run(store.unfinished()).rows.map { try EndedRun($0) }
        }
        for run in runs {
            guard let name = pipeline.topics[run.topic].comparedTopic else { continue }
            guard let fence = try await fence(of: run, name), try await isPassed(fence) else { continue }
            if try await !finish(run, batches: isLast ? .max : Self.batchesAtOnce) { lastRun = nil }
        }
    }

    private struct EndedRun: Sendable {
        let topic: String
        let run: String
        let model: String?
        let keysVersion: Int64?
        let fence: VerificationFence?

        init(_ row: Row) throws {
            topic = try row.text(0) ?? ""
            run = try row.text(1) ?? ""
            model = try row.text(2)
            keysVersion = try row.integer(4)
            fence = try row.text(3).flatMap(VerificationFence.init(text:))
        }
    }

    /// Up to where both topics have to be applied: where they end now, if that isn't known from before.
    private func fence(of run: EndedRun, _ name: String) async throws -> VerificationFence? {
        if let fence = run.fence { return fence }
        let topics = try await broker.describeTopics([name, run.topic])
        let partitions = topics.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
        let ranges = try await broker.offsets(of: partitions)
        // What is left out now would not be waited for.
        guard ranges.count == partitions.count else { return nil }
        let fence = VerificationFence(ranges)
        let isOurs = try await database.transaction(.write) { [store] in
            try $0.run(store.setFence(fence, run.topic, run.run)).affectedRows == 1
        }
        return isOurs ? fence : nil
    }

    private func isPassed(_ fence: VerificationFence) async throws -> Bool {
        let offsets = pipeline.persister.offsets
        let topics = Set(fence.ends.keys.map(\.topic)).sorted()
        let positions = try await database.transaction(.snapshot) { try offsets.load(topics, in: &$0) }
        return fence.isPassed(positions)
    }

    /// Adds rows to the suspects that are none of the run's keys, if they weren't found range by range.
    private func compareKeys(of run: EndedRun, _ topic: ConsumerTopic) async throws {
        guard let version = run.keysVersion, let model = run.model,
            let table = try await pipeline.table(of: model, topic)
        else { return }
        let extra = ExtraRows(table: table, dialect: database.dialect)
        let statement = extra.unnamed(version: version) { store.isNoKey($0, run.topic, run.run) }
        guard let statement else { return }
        let ids = try await database.transaction(.snapshot) { transaction in
            try transaction.run(statement).rows.compactMap { try $0.text(0) }
        }
        try await database.transaction(.write) { [store] transaction in
            // Once somebody has compared them the keys are gone, and all rows would be too many.
            guard try transaction.run(store.noteKeysCompared(run.topic, run.run)).affectedRows == 1 else { return }
            let dialect = transaction.dialect
            if !ids.isEmpty {
                let keep = store.keep(rows: ids, of: model, version: version, run.topic, run.run, dialect)
                try transaction.run(keep)
            }
            try transaction.run(store.forgetKeys(run.topic, run.run))
        }
    }

    /// - Returns: Whether no suspect of the run is left.
    private func finish(_ run: EndedRun, batches: Int) async throws -> Bool {
        let topic = pipeline.topics[run.topic]
        try await compareKeys(of: run, topic)
        var isDone = false
        for _ in 0..<batches {
            let suspects = try await database.transaction(.snapshot) { [store] transaction in
                try transaction.run(store.suspects(run.topic, run.run, limit: Self.batchSize)).rows
                    .map { try Suspect($0, topic: run.topic) }
            }
            isDone = suspects.isEmpty
            guard !isDone else { break }
            let found = try await pipeline.recheck(suspects, of: topic)
            try await database.transaction(.write) { [store] transaction in
                let dialect = transaction.dialect
                if !found.isEmpty { try transaction.run(store.store(found, run.topic, run.run, dialect)) }
                try transaction.run(store.forget(suspects, dialect))
            }
        }
        guard isDone else { return false }
        let completed = try await database.transaction(.write) { [store] transaction in
            try transaction.run(store.complete(run.topic, run.run, transaction.dialect)).first
                .map { try VerificationCounts($0) }
        }
        if let completed {
            // Those of a part of the source are kept and not compared.
            try await database.transaction(.write) { [store] in _ = try $0.run(store.forgetKeys(run.topic, run.run)) }
            pipeline.telemetry.verified(completed, topic: topic.comparedTopic ?? run.topic, run: run.run)
        }
        return true
    }
}
