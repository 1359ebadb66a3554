import Dionysus

/// The stages of the pipeline.
extension ConsumerPipeline {
    /// The middleware around a topic's messages.
    func middleware(of topic: ConsumerTopic) -> MiddlewareChain {
        MiddlewareChain(middleware: topic.middleware, retry: retry, errorHandler: telemetry.errorHandler)
    }

    /// Gives messages to the middleware that looks at each of them; what the event log keeps has been through it.
    func receive(
        _ delivery: Delivery,
        through middleware: MiddlewareChain,
        without waiting: WaitingMessages
    ) async throws -> [ConsumedMessage] {
        if case .loggedEvent = delivery.reason { return delivery.batch.messages }
        let messages = delivery.batch.messages
        return try await middleware.receive(waiting.isEmpty ? messages : messages.filter { !waiting.contains($0) })
    }

    /// Reads messages.
    /// - Parameters:
    ///   - number: The number of their one record in the message that it came in, if they are not that message.
    ///   - areEdited: Whether a person has written their values anew.
    func decode(
        _ messages: [ConsumedMessage],
        of topic: ConsumerTopic,
        number: Int?,
        areEdited: Bool
    ) async throws -> (messages: [DecodedMessage], failures: [FailedMessage]) {
        let horizon = try await retry.run("ask for the time") { try await clock.horizon() }
        let received = messages
        var (messages, closed) = (messages, [FailedMessage]())
        // The log of events keeps what was in them.
        if number == nil, topic.encoding.takesCloudEvents {
            let opening = CloudEventOpening(
                namespace: topic.namespace,
                takesRecords: !topic.encoding.holdsEnvelopes
            )
            (messages, closed) = opening.open(messages)
        }
        var decoder = MessageDecoder(naming: naming, tombstonesDelete: topic.tombstonesDelete, horizon: horizon)
        if let source = messages.first?.source,
            let reader = try recordReaders.reader(of: topic, named: topic.comparedTopic ?? source.topic)
        {
            if number == nil {
                // The data of an event stay as they are written in it.
                let areJSON = areEdited && !received.contains(where: CloudEvent.isStructured)
                decoder.records = try await recordDecoding(reader, of: topic, messages, areEdited: areJSON)
                decoder.holdsMessages = topic.holdsMessages
                decoder.mayHoldRecords = areJSON
            } else {
                // The log of events keeps what was read of records, as events.
                decoder.mayHoldRecords = true
            }
        }
        var decoded = await telemetry.metrics.stage(.decode) { decoder.decode(messages) }
        if let number { decoded.messages = decoded.messages.map { $0.numbered(number) } }
        decoded.failures += closed
        return decoded
    }

    /// How records are read, after the registry was asked for schemas that aren't known yet.
    private func recordDecoding(
        _ reader: RecordReader,
        of topic: ConsumerTopic,
        _ messages: [ConsumedMessage],
        areEdited: Bool
    ) async throws -> RecordDecoding {
        let failures = try await retry.run("ask the schema registry", for: messages.first?.source) {
            try await reader.learn(messages, withKeys: topic.holdsMessages || topic.identifier != nil)
        }
        return RecordDecoding(
            reader: reader,
            models: RecordModels(topic, naming.inflection),
            envelopes: RecordDecoding.Envelopes(topic.encoding),
            rows: topic.encoding.debeziumRows,
            identifier: topic.identifier,
            failures: failures,
            areEdited: areEdited
        )
    }

    /// Turns payloads into values of columns, once more with a fresh look at the tables if something does not fit, because
    /// these may have changed since they were looked up.
    func bind(
        _ messages: [DecodedMessage],
        of topic: ConsumerTopic
    ) async throws -> (batch: BoundBatch, failures: [FailedMessage]) {
        try await telemetry.metrics.stage(.bind) {
            let bound = try await bindOnce(messages, of: topic)
            guard bound.failures.contains(where: { $0.error.code == .typeMismatch }) else { return bound }
            catalogue.forget()
            return try await bindOnce(messages, of: topic)
        }
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

    /// What really waits for messages that have failed; nil if that was assumed.
    func corrected(
        _ waiting: WaitingMessages,
        by failures: [FailedMessage],
        of topic: ConsumerTopic,
        in delivery: Delivery
    ) -> WaitingMessages? {
        guard delivery.isReading, topic.failurePolicy.holdsKeys else { return nil }
        return waiting.corrected(by: failures, in: delivery.batch)
    }

    /// Applies the topic's failure policy to failed messages; a message that is applied on its own fails its delivery instead.
    /// - Returns: Those that are to be recorded in the database.
    func park(
        _ failures: [FailedMessage],
        of topic: ConsumerTopic,
        in delivery: Delivery,
        _ progress: inout BatchProgress
    ) async throws -> [FailedMessage] {
        guard let first = failures.first else { return [] }
        guard delivery.isReading else { throw first.error }
        let policy = topic.failurePolicy
        report(failures, policy, &progress)
        let sentBefore = progress.sent
        let parked = try await telemetry.metrics.stage(.park) {
            try await parking.park(failures, by: policy, except: sentBefore)
        }
        progress.sent.formUnion(parked.sent)
        return parked.recorded
    }

    /// Reports each failed message once, however often its batch is divided.
    private func report(_ failures: [FailedMessage], _ policy: FailedMessagePolicy, _ progress: inout BatchProgress) {
        let failures = failures.sorted { $0.message.offset < $1.message.offset }
        // What comes after the failure at which the consumer stops does not concern it any more.
        for failure in policy == .stop ? Array(failures.prefix(1)) : failures
        where progress.summary.failed.insert(failure.message.offset).inserted {
            progress.summary.firstFailure = progress.summary.firstFailure ?? failure.error
            telemetry.failed(failure, policy)
        }
    }

    /// Everything that a delivery's transaction writes.
    func write(
        _ prepared: PreparedMessages,
        without failures: [FailedMessage],
        recording parked: [FailedMessage],
        of topic: ConsumerTopic,
        in delivery: Delivery,
        _ progress: BatchProgress
    ) -> BatchWrite {
        let log: EventLog? =
            if case .loggedEvent(let log, _) = delivery.reason { log } else {
                topic.eventIdentity.map { EventLog(group: settings.effectiveGroupID, identity: $0) }
            }
        let handlers = HandlerWork(
            prepared.accepted,
            plain: prepared.transformed,
            without: failures.filter { !$0.isPartial },
            bound: prepared.bound,
            of: delivery.batch,
            topic: topic,
            log: log,
            // What is handled once more isn't checked.
            notes: delivery.number == nil && observesCheckpoints ? CheckpointNotes() : nil,
            errorHandler: telemetry.errorHandler
        )
        var write = write(prepared.bound, handlers, recording: parked, of: topic, in: delivery, progress)
        write.assumed = prepared.assumed
        return write
    }

    /// What the transaction of a delivery writes.
    func write(
        _ bound: BoundBatch,
        _ handlers: HandlerWork,
        recording parked: [FailedMessage],
        of topic: ConsumerTopic,
        in delivery: Delivery,
        _ progress: BatchProgress
    ) -> BatchWrite {
        var write = BatchWrite(batch: bound, handlers: handlers, checkpoint: delivery.checkpoint)
        guard delivery.isReading else { return write }
        write.failures = parked + progress.waiting.failures(in: delivery.batch)
        write.earlier = EarlierFailures(
            group: settings.effectiveGroupID,
            partition: delivery.batch.partition,
            messages: delivery.batch.messages,
            waiting: topic.failurePolicy.holdsKeys ? progress.waiting : nil
        )
        return write
    }

    /// Writes everything in one transaction, with what the delivery completes.
    func persist(_ write: BatchWrite, as delivery: Delivery) async throws -> Verdict<AppliedEvents> {
        guard delivery.isReading else { return try await write.handlers.locked { try await persister.write(write) } }
        // What takes too long together is divided, and by itself tried until it gets through.
        let fault: DionysusError.Code? = delivery.batch.messages.count > 1 ? .timeout : nil
        return try await retry.run("write a batch", for: delivery.batch.partition, unless: fault) {
            try await telemetry.metrics.stage(.persist) {
                try await write.handlers.locked { try await persister.write(write) }
            }
        }
    }

    /// Publishes what was applied: while the next batch is written, unless middleware is to see the end of it.
    func react(
        to applied: AppliedEvents,
        of prepared: PreparedMessages,
        _ middleware: MiddlewareChain,
        _ progress: BatchProgress
    ) async {
        guard let afterCommit = progress.afterCommit, middleware.isEmpty else {
            return await reactor.react(to: applied)
        }
        let (memory, partition) = (progress.memory, progress.cursor.partition)
        await afterCommit.begin { [reactor, telemetry] in
            await telemetry.follow(reactionsIn: partition) { await reactor.react(to: applied) }
            // It takes its time to free a batch, too.
            withExtendedLifetime((prepared, memory)) {}
        }
    }

    /// Messages with the statements that write them if what may be assumed of their records is true.
    func assuming(_ prepared: PreparedMessages) -> PreparedMessages {
        var copy = prepared
        copy.assumed = persister.assume(prepared.bound)
        return copy
    }

    /// Notes what has been committed.
    func note(
        _ prepared: PreparedMessages,
        _ applied: AppliedEvents,
        _ delivery: Delivery,
        _ progress: inout BatchProgress
    ) {
        if delivery.isReading {
            note(applied, of: delivery.batch, &progress)
            telemetry.applied(prepared.tally(applied: applied.count), in: delivery.topic)
        }
        for event in prepared.skipped { telemetry.errorHandler.handle(event) }
    }

    /// Notes that a batch that was read has been committed with its offset.
    func note(_ applied: AppliedEvents, of batch: MessageBatch, _ progress: inout BatchProgress) {
        progress.cursor.stored = batch.next
        progress.summary.applied += applied.count
        telemetry.committed(batch, isOneLane: progress.cursor.lane != nil)
    }
}

extension DecodedMessage {
    /// The same message, whose one record has a number of a message with more of them.
    fileprivate func numbered(_ number: Int) -> DecodedMessage {
        var copy = self
        copy.events = events.map { event in
            DecodedEvent(name: event.name, model: event.model, records: event.records.map { $0.numbered(number) })
        }
        return copy
    }
}
