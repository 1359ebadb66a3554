import Dionysus

/// Models of which nothing can be published for now.
extension RelayPipeline {
    /// Notes of which models rows can't be published, and of which they can be again.
    func noteRefusals(_ loaded: LoadedBatch, _ rows: [OutboxRow], except groups: Set<RecordGroup>) async throws {
        guard !loaded.refused.isEmpty || !refused.isEmpty else { return }
        for (group, error) in loaded.refused {
            try await refuse(
                group,
                DionysusError(
                    .statement,
                    "model \(group.modelName) can't be loaded for topic \(group.topic): \(error.message)",
                    advice: error.adviceForWaitingRows,
                    underlying: error
                )
            )
        }
        try await accept(rows, except: groups.union(loaded.refused.keys))
    }

    /// Models whose rows wait for now.
    var waitingGroups: [RecordGroup] {
        let waiting = refused.waiting
        return withoutTopic.isEmpty ? waiting : Array(Set(waiting + withoutTopic.waiting)).inFixedOrder
    }

    /// Has the rows of topics wait that the broker doesn't have or denies, and those go on that it has by now.
    func noteTopics(_ settlement: Settlement) async throws {
        guard !settlement.withoutTopic.isEmpty || !withoutTopic.isEmpty else { return }
        let lacking = Dictionary(
            settlement.withoutTopic.map { (RecordGroup($0.row), $0.error) },
            uniquingKeysWith: { first, _ in first }
        )
        for group in Array(lacking.keys).inFixedOrder {
            guard let error = lacking[group] else { continue }
            let isKnown = withoutTopic.hasTopic(group.topic)
            let change = withoutTopic.note(group, error.description)
            guard change != .none else { continue }
            if change == .begun {
                telemetry.lacksTopic(isKnown ? nil : error, problem: withoutTopic.problem)
            }
            try await write(outbox.noteRefusal(group, error.description))
        }
        let groups = Set(settlement.published.map(RecordGroup.init)).subtracting(lacking.keys)
        let accepted = withoutTopic.accept(groups)
        guard !accepted.isEmpty else { return }
        telemetry.hasTopics(accepted, problem: withoutTopic.problem)
        try await write(outbox.forgetRefusals(accepted))
    }

    /// Has the rows of a model wait, and says why.
    func refuse(_ group: RecordGroup, _ error: DionysusError) async throws {
        let change = refused.note(group, error.description)
        guard change != .none else { return }
        // Told once; that it lasts is seen in the heartbeat and the outbox.
        if change == .begun { telemetry.refused(error, group, problem: refused.problem) }
        try await write(outbox.noteRefusal(group, error.description))
    }

    /// Has the rows of models go on, since some of theirs do.
    func accept(_ rows: [OutboxRow], except groups: Set<RecordGroup>) async throws {
        guard !refused.isEmpty else { return }
        let accepted = refused.accept(Set(rows.map(RecordGroup.init)).subtracting(groups))
        guard !accepted.isEmpty else { return }
        telemetry.accepted(accepted, problem: refused.problem)
        try await write(outbox.forgetRefusals(accepted))
    }

    /// Writes down what people are told: without it, everything else goes on.
    private func write(_ statements: [SQL]) async throws {
        do {
            _ = try await database.transaction(.write) { try $0.run(statements) }
        } catch let error as DionysusError where error.isOfStatement {
            logger.warning("which models can't be published could not be written down: \(error)")
        }
    }

    /// Says when unusually many records are not there any more.
    func tellMissing(_ settlement: Settlement) {
        let gone = settlement.notes[Composer.gone] ?? []
        let rows = settlement.published + gone
        guard !rows.isEmpty, !gone.isEmpty || missing.isCounting else { return }
        let counts = Dictionary(gone.map { ($0.resourceClass, 1) }, uniquingKeysWith: +)
        for (model, rows) in Dictionary(grouping: rows, by: \.resourceClass) {
            let told = missing.note(model, seen: rows.count, missing: counts[model] ?? 0)
            guard let told else { continue }
            logger.warning(
                """
                \(told.missing) of the last \(told.seen) rows of \(model) are for records that no longer exist, and nothing \
                was published for them: make sure that the relay's role sees all rows of the table, and its own database
                """
            )
        }
    }

    /// Sends again, without their trace, messages that the broker has refused with it: perhaps they were too large by that.
    ///
    /// Not those of records of which a later message has arrived.
    func resendingWithoutTrace(
        _ messages: [OutgoingMessage],
        _ results: [Result<Acknowledgement, DionysusError>]
    ) async -> [Result<Acknowledgement, DionysusError>] {
        guard results.contains(where: Self.isRejection) else { return results }
        let again = messages.placesToSendAgain(results) { Self.isRejection($0) && $1.hasTrace }
        guard !again.isEmpty else { return results }
        var results = results
        for (place, result) in zip(again, await producer.send(again.map { messages[$0].withoutTrace })) {
            results[place] = result
        }
        return results
    }

    private static func isRejection(_ result: Result<Acknowledgement, DionysusError>) -> Bool {
        if case .failure(let error) = result { error.code == .messageRejected } else { false }
    }
}

extension OutgoingMessage {
    private static let traceHeaders = [HeaderName.traceParent, HeaderName.traceState]

    fileprivate var hasTrace: Bool { headers.contains { Self.traceHeaders.contains($0.name) } }

    fileprivate var withoutTrace: OutgoingMessage {
        var message = self
        message.headers.removeAll { Self.traceHeaders.contains($0.name) }
        return message
    }
}
