import Dionysus
import DionysusSchemas

/// Models whose rows wait, because nothing of them can be published or the broker lacks their topic.
///
/// What begins and ends is reported once, and written down for those who look into the outbox.
struct Refusals: Sendable {
    /// Models of which nothing can be loaded or expanded.
    let models = RefusedModels()
    /// Models whose topic the broker doesn't have, or denies.
    let topics = RefusedModels()
    /// Models whose genesis runs can't read their records.
    let runs = RefusedModels()

    let database: any CapturingDatabase
    let outbox: Outbox
    let telemetry: RelayTelemetry

    /// The models whose rows wait for their next attempt.
    var waiting: [RecordGroup] {
        let waiting = models.waiting
        return topics.isEmpty ? waiting : Array(Set(waiting + topics.waiting)).inFixedOrder
    }

    /// Why rows wait, a text for each reason.
    var problems: [String] { [models.problem, topics.problem].compactMap(\.self) }

    /// Notes which models could not be loaded, and which can be again.
    func note(_ loaded: LoadedBatch, _ rows: [OutboxRow], except groups: Set<RecordGroup>) async throws {
        guard !loaded.refused.isEmpty || !models.isEmpty else { return }
        for (group, error) in loaded.refused {
            try await refuse(
                group,
                DionysusError(
                    error.code == .registryUnavailable ? error.code : .statement,
                    "model \(group.modelName) can't be \(error.isOfRegistry ? "written" : "loaded") for topic "
                        + "\(group.topic): \(error.message)",
                    advice: error.adviceForWaitingRows,
                    underlying: error
                )
            )
        }
        try await accept(rows, except: groups.union(loaded.refused.keys))
    }

    /// Makes the rows of topics wait that the broker lacks or denies, and ends the wait of those that it has again.
    func note(_ settlement: Settlement) async throws {
        guard !settlement.withoutTopic.isEmpty || !topics.isEmpty else { return }
        let lacking = Dictionary(
            settlement.withoutTopic.map { (RecordGroup($0.row), $0.error) },
            uniquingKeysWith: { first, _ in first }
        )
        for group in Array(lacking.keys).inFixedOrder {
            guard let error = lacking[group] else { continue }
            let isKnown = topics.hasTopic(group.topic)
            let change = topics.note(group, error.description)
            guard change != .none else { continue }
            if change == .begun { telemetry.lacksTopic(isKnown ? nil : error, problem: topics.problem) }
            try await write(outbox.noteRefusal(group, error.description))
        }
        let accepted = topics.accept(Set(settlement.published.map(RecordGroup.init)).subtracting(lacking.keys))
        guard !accepted.isEmpty else { return }
        telemetry.hasTopics(accepted, problem: topics.problem)
        try await write(outbox.forgetRefusals(accepted))
    }

    /// Makes the rows of a model wait.
    func refuse(_ group: RecordGroup, _ error: DionysusError) async throws {
        let change = models.note(group, error.description)
        guard change != .none else { return }
        // Reported once; the heartbeat and the outbox show that it lasts.
        if change == .begun { telemetry.refused(error, group, problem: models.problem) }
        try await write(outbox.noteRefusal(group, error.description))
    }

    /// Ends the wait of models some of whose rows could be worked on.
    func accept(_ rows: [OutboxRow], except groups: Set<RecordGroup>) async throws {
        guard !models.isEmpty else { return }
        let accepted = models.accept(Set(rows.map(RecordGroup.init)).subtracting(groups))
        guard !accepted.isEmpty else { return }
        telemetry.accepted(accepted, problem: models.problem)
        try await write(outbox.forgetRefusals(accepted))
    }

    /// Writes notes for operators; publishing goes on without them.
    private func write(_ statements: [SQL]) async throws {
        do {
            _ = try await database.transaction(.write) { try $0.run(statements) }
        } catch let error as DionysusError where error.isOfStatement {
            telemetry.logger.warning("which models can't be published could not be written down: \(error)")
        }
    }
}
