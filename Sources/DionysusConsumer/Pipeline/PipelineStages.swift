import Dionysus

/// The stages of the pipeline, each with its time taken.
extension ConsumerPipeline {
    /// The middleware around a topic's messages.
    func middleware(of topic: ConsumerTopic) -> MiddlewareChain {
        MiddlewareChain(middleware: topic.middleware, retry: retry, errorHandler: telemetry.errorHandler)
    }

    /// Reads messages.
    func decode(
        _ messages: [ConsumedMessage],
        of topic: ConsumerTopic
    ) async throws -> (messages: [DecodedMessage], failures: [FailedMessage]) {
        let horizon = try await retry.run("ask for the time") { try await clock.horizon() }
        let timing = telemetry.metrics.begin(.decode)
        defer { timing.end() }
        return MessageDecoder(naming: naming, tombstonesDelete: topic.tombstonesDelete, horizon: horizon)
            .decode(messages)
    }

    /// Turns payloads into values of columns, once more with a fresh look at the tables if something does not fit, because
    /// these may have changed since they were looked up.
    func bind(
        _ messages: [DecodedMessage],
        of topic: ConsumerTopic
    ) async throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        let timing = telemetry.metrics.begin(.bind)
        defer { timing.end() }
        let bound = try await bindOnce(messages, of: topic)
        guard bound.failures.contains(where: { $0.error.code == .typeMismatch }) else { return bound }
        catalogue.forget()
        return try await bindOnce(messages, of: topic)
    }

    private func bindOnce(
        _ messages: [DecodedMessage],
        of topic: ConsumerTopic
    ) async throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        let models = messages.modelNames
        let refused = Set(topic.acceptance.map { rule in models.filter { !rule.accepts($0) } } ?? [])
        if let source = messages.first?.message.source, !refused.isEmpty {
            for model in refused { skippedModels.refused(model, from: source.topic) }
        }
        var replicas = try await retry.run("look up the replicas") {
            try await catalogue.replicas(of: models.subtracting(refused), in: topic.namespace)
        }
        replicas.refused = refused
        let destroyed = messages.destroyedModels
        if !destroyed.isEmpty {
            let known = replicas
            replicas = try await retry.run("look up the replicas") {
                var replicas = known
                try await catalogue.addParts(of: destroyed, to: &replicas, in: topic.namespace) {
                    topic.acceptance?.accepts($0) ?? true
                }
                return replicas
            }
        }
        return try Binder.bind(messages, replicas: replicas, imports: topic.imports)
    }

    /// Does with failed messages what the topic chose.
    /// - Returns: Those that are to be recorded in the database.
    func park(
        _ failures: [FailedMessage],
        by policy: FailurePolicy,
        _ progress: inout BatchProgress
    ) async throws -> [FailedMessage] {
        guard !failures.isEmpty else { return [] }
        let timing = telemetry.metrics.begin(.park)
        defer { timing.end() }
        tell(failures, policy, &progress)
        let (recorded, sent) = try await parking.park(failures, by: policy, except: progress.sent)
        progress.sent.formUnion(sent)
        return recorded
    }

    /// Tells of each failed message once, however often its batch is divided.
    private func tell(_ failures: [FailedMessage], _ policy: FailurePolicy, _ progress: inout BatchProgress) {
        let failures = failures.sorted { $0.message.offset < $1.message.offset }
        // What comes after the failure at which the consumer stops is not its concern any more.
        for failure in policy == .stop ? Array(failures.prefix(1)) : failures
        where progress.failed.insert(failure.message.offset).inserted {
            progress.firstFailure = progress.firstFailure ?? failure.error
            telemetry.failed(failure, policy)
        }
    }

    /// The log of a topic's events, if it has one.
    func log(of topic: ConsumerTopic) -> EventLog? {
        topic.eventIdentity.map { EventLog(group: group, identity: $0) }
    }

    /// What is done beside replication.
    func work(
        on messages: [DecodedMessage],
        without failures: [FailedMessage],
        _ bound: BoundBatch,
        _ batch: MessageBatch,
        _ log: EventLog?
    ) -> HandlerWork {
        HandlerWork(
            messages,
            without: failures,
            bound: bound,
            of: batch,
            topic: topics[batch.partition.topic],
            log: log,
            errorHandler: telemetry.errorHandler
        )
    }

    /// Writes everything in one transaction, with the offset behind the batch.
    func persist(
        _ bound: BoundBatch,
        _ handlers: HandlerWork,
        recording failures: [FailedMessage],
        _ batch: PartitionBatch,
        _ progress: inout BatchProgress
    ) async throws -> PersistedBatch {
        let write = BatchWrite(
            batch: bound,
            handlers: handlers,
            failures: failures,
            earlier: EarlierFailures(
                group: group,
                partition: batch.partition,
                messages: batch.messages,
                waiting: topics[batch.partition.topic].failurePolicy.holdsKeys ? progress.waiting : nil
            ),
            completion: .advance(progress.cursor, to: batch.next, mark: batch.mark)
        )
        // What takes too long together is divided, and by itself tried until it gets through.
        let fault: DionysusError.Code? = batch.messages.count > 1 ? .timeout : nil
        let persisted = try await retry.run("write a batch", for: batch.partition, unless: fault) {
            let timing = telemetry.metrics.begin(.persist)
            defer { timing.end() }
            return try await handlers.locked { try await persister.persist(write) }
        }
        progress.cursor.stored = batch.next
        progress.applied += persisted.applied.count
        telemetry.committed(batch, at: progress.cursor)
        return persisted
    }
}
