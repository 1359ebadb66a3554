import Dionysus

/// Comparing replicas with the messages of verification runs.
extension ConsumerPipeline {
    /// Compares messages with the replica, instead of applying them.
    func compare(
        _ messages: [ConsumedMessage],
        of topic: ConsumerTopic,
        _ delivery: Delivery,
        _ progress: inout BatchProgress
    ) async throws -> Verdict<Applied> {
        // What has no run was written by somebody else, and means nothing here.
        let known = messages.filter { $0.verificationRun != nil }
        let markers = known.filter(\.isVerificationMarker)
            .compactMap { $0.value.flatMap(VerificationMarker.init(value:)) }
        let records = known.filter { !$0.isVerificationMarker }
        let prepared = try await prepare(records, of: topic)
        var tables: [(VerificationMarker, ReplicaTable?)] = []
        for marker in markers where marker.topic == topic.comparedTopic {
            tables.append((marker, try await table(of: marker.model, topic)))
        }
        let write = ComparisonWrite(
            topic: delivery.topic,
            batch: prepared.bound,
            messages: records,
            unreadable: prepared.failures.map(\.message),
            markers: tables,
            checkpoint: delivery.checkpoint
        )
        let store = VerificationStore(group: settings.effectiveGroupID)
        let verdict: Verdict<Int>
        if delivery.isReading {
            verdict = try await retry.run("compare a batch", for: delivery.batch.partition, unless: nil) {
                try await telemetry.metrics.stage(.persist) { try await persister.compare(write, in: store) }
            }
        } else {
            verdict = try await persister.compare(write, in: store)
        }
        switch verdict {
        case .refused(let refusal): return .refused(refusal)
        case .done:
            if delivery.isReading { note(AppliedEvents(), of: delivery.batch, &progress) }
            return .done(Applied(count: records.count, isLeftOut: false))
        }
    }

    func table(of model: String, _ topic: ConsumerTopic) async throws -> ReplicaTable? {
        guard topic.acceptance?.accepts(model) ?? true else { return nil }
        return try await retry.run("look up the replicas") {
            try await catalogue.replicas(of: [model], in: topic.namespace).tables[model]
        }
    }

    /// Looks at suspects of a run once more, as one snapshot of the replica has their rows.
    /// - Returns: Those that still differ.
    func recheck(_ suspects: [Suspect], of topic: ConsumerTopic) async throws -> [FoundDifference] {
        var messages: [ConsumedMessage] = []
        var rows: [String: [(id: String, version: Int64?)]] = [:]
        for suspect in suspects {
            switch suspect.subject {
            case .message(let message): messages.append(message)
            case .row(let model, let id, let version): rows[model, default: []].append((id, version))
            }
        }
        let prepared = try await prepare(messages, of: topic)
        var found = prepared.failures.map { FoundDifference(unreadable: $0.message) }
        let batch = prepared.bound
        found += try await persister.database.transaction(.snapshot) { transaction in
            try ReplicaComparison.differences(batch, in: &transaction).map(\.difference)
        }
        for (model, rows) in rows.sorted(by: { $0.key < $1.key }) {
            guard let table = try await table(of: model, topic) else { continue }
            for (version, rows) in Dictionary(grouping: rows, by: \.version) {
                let extra = ExtraRows(table: table, dialect: persister.database.dialect)
                guard let statement = extra.remaining(rows.map(\.id), version: version) else { continue }
                let ids = try await persister.database.transaction(.snapshot) { transaction in
                    try transaction.run(statement).rows.compactMap { try $0.text(0) }
                }
                found += ids.map { FoundDifference(extra: $0, of: table.model, version: version) }
            }
        }
        return found
    }
}

extension FoundDifference {
    fileprivate init(unreadable message: ConsumedMessage) {
        let key = MessageKey(message.key)
        self.init(
            kind: .unreadable,
            model: key?.model ?? "",
            recordID: key?.id ?? "",
            publishedModel: key?.model ?? "",
            publishedID: key?.id ?? "",
            version: nil
        )
    }

    fileprivate init(extra id: String, of model: String, version: Int64?) {
        self.init(
            kind: .extra,
            model: model,
            recordID: id,
            publishedModel: model,
            publishedID: id,
            version: version
        )
    }
}
