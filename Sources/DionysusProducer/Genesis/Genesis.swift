public import Dionysus

/// Publishes records that exist already, in durable runs that relays work on.
///
///     let genesis = Genesis(database: database, registry: registry)
///     let run = try await genesis.start(topic: "v3_rentals", model: "Rental", over: .seconds(43_200))
///
/// A run publishes as live changes are published: its records are written to the outbox chunk by chunk, and a relay
/// publishes the state that they have then. So it never publishes anything older than what has been published, and
/// nothing that has been deleted.
public struct Genesis: Sendable {
    let database: any CapturingDatabase
    let registry: Registry
    let settings: ProducerSettings

    /// Creates the interface to the runs of a database.
    /// - Parameters:
    ///   - database: The database whose records are published.
    ///   - registry: What is published.
    ///   - settings: The settings, for the size of chunks.
    public init(
        database: any CapturingDatabase,
        registry: Registry,
        settings: ProducerSettings = ProducerSettings()
    ) {
        self.database = database
        self.registry = registry
        self.settings = settings
    }

    var statements: GenesisStatements {
        GenesisStatements(tables: database.outbox.tables, dialect: database.dialect)
    }

    /// Starts a run, which relays then work on.
    /// - Parameters:
    ///   - topic: The topic's full name. Of a topic with a genesis replica, both get the records; its genesis topic's
    ///     name publishes to that alone.
    ///   - model: The name of the model whose records are published.
    ///   - selection: Which records are published.
    ///   - spread: The time over which the chunks are spread evenly; nil for as fast as possible.
    ///   - streamer: What happens to the records of a chunk, by its name in ``Producer/genesisStreamers``; nil for what
    ///     happens to those of all runs that name none.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` for a topic, model or streamer that is not declared, `declaration` for a
    ///   model that is only a dependency there, `configuration` when the selection does not fit the table.
    public func start(
        topic: String,
        model: String,
        selecting selection: GenesisSelection = GenesisSelection(),
        over spread: Duration? = nil,
        streamer: String? = nil
    ) async throws -> GenesisRun {
        let publication = try publication(topic, model)
        if let streamer { _ = try registry.genesisStreamer(named: streamer) }
        var selection = selection
        selection.streamer = streamer
        if let spread, spread <= .zero {
            throw DionysusError(.configuration, "a run can't be spread over no time", advice: "give a time above zero")
        }
        let chunkSize = settings.genesisChunkSize
        return try await database.transaction(.write) { [selection, statements, registry, database] transaction in
            try statements.requireTables(in: &transaction)
            try throwFaults(hiddenRows(registry, database, in: &transaction))
            _ = try GenesisRecords(publication, selection, in: &transaction)
            let start = statements.start(
                topic: topic,
                model: model,
                selection: selection,
                context: OutboxContext(),
                spread: spread,
                chunkSize: chunkSize
            )
            let id = try transaction.run(start).first?.integer(0) ?? 0
            return try Self.read(id, statements, in: &transaction)
        }
    }

    /// All runs, those of observed changes among them, the oldest first.
    /// - Throws: ``/Dionysus/DionysusError`` as for a transaction.
    public func runs() async throws -> [GenesisRun] {
        try await database.transaction(.snapshot) { [statements] transaction in
            try statements.requireTables(in: &transaction)
            return try transaction.run(statements.read()).rows.map { try GenesisRun($0) }
        }
    }

    /// One run.
    /// - Returns: The run as it stands now.
    /// - Throws: ``/Dionysus/DionysusError`` with code `notFound` if there is none.
    public func run(_ id: Int64) async throws -> GenesisRun {
        try await database.transaction(.snapshot) { [statements] transaction in
            try statements.requireTables(in: &transaction)
            return try Self.read(id, statements, in: &transaction)
        }
    }

    /// Takes no more chunks of a run, until it is resumed.
    ///
    /// What has been written to the outbox is published.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound`, or `conflict` if the run isn't running.
    public func pause(_ id: Int64) async throws -> GenesisRun {
        try await change(id, from: [.running], "paused") { statements, transaction in
            let more: SQL = ", paused_at = \(transaction.dialect.now)"
            return try transaction.run(statements.change(id, from: [.running], to: .paused, setting: more))
        }
    }

    /// Continues a run that was paused or has failed; the chunks of a spread run are due later by the time in between.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound`, or `conflict` if the run is neither paused nor failed.
    public func resume(_ id: Int64) async throws -> GenesisRun {
        try await change(id, from: [.paused, .failed], "resumed") { statements, transaction in
            let times = try transaction.run(
                "SELECT starts_at, paused_at, \(transaction.dialect.now) FROM \(statements.runTable) WHERE id = \(id)"
            )
            guard let row = times.first, let startsAt = try row.timestamp(0), let now = try row.timestamp(2) else {
                return times
            }
            let pausedAt = try row.timestamp(1) ?? now
            let shifted = startsAt + Double(now.microseconds(since: pausedAt)) / 1_000_000
            let more: SQL = ", paused_at = NULL, error_message = NULL, announced_at = NULL, starts_at = \(shifted)"
            return try transaction.run(
                statements.change(id, from: [.paused, .failed], to: .running, setting: more)
            )
        }
    }

    /// Ends a run.
    ///
    /// What has been written to the outbox is published.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound`, or `conflict` if the run has ended.
    public func cancel(_ id: Int64) async throws -> GenesisRun {
        let states: [GenesisRun.State] = [.running, .paused, .failed]
        return try await change(id, from: states, "cancelled") { [database] statements, transaction in
            let run = try transaction.run(statements.open(id)).first.map { try ActiveRun($0) }
            let finish = statements.finish(id, from: states, as: .cancelled)
            let finished = try transaction.run(finish)[0]
            if let run, let scope = run.selection.verification, finished.affectedRows == 1 {
                let outbox = try Outbox.open(of: database, in: &transaction)
                try VerificationMarking(outbox: outbox).mark(.cancelled, run, scope, in: &transaction)
            }
            return finished
        }
    }

    private func change(
        _ id: Int64,
        from states: [GenesisRun.State],
        _ participle: String,
        _ body: @escaping @Sendable (GenesisStatements, inout Transaction) throws -> ResultSet
    ) async throws -> GenesisRun {
        try await database.transaction(.write) { [statements] transaction in
            try statements.requireTables(in: &transaction)
            let run = try Self.read(id, statements, in: &transaction)
            guard states.contains(run.state), try body(statements, &transaction).affectedRows == 1 else {
                throw DionysusError(
                    .conflict,
                    "run \(id) can't be \(participle): it is \(run.state.rawValue)",
                    advice: "it would have to be \(states.map(\.rawValue).joined(separator: " or "))"
                )
            }
            return try Self.read(id, statements, in: &transaction)
        }
    }

    static func read(
        _ id: Int64,
        _ statements: GenesisStatements,
        in transaction: inout Transaction
    ) throws -> GenesisRun {
        guard let row = try transaction.run(statements.read(id)).first else {
            throw DionysusError(.notFound, "there is no genesis run \(id)", advice: "list the runs")
        }
        return try GenesisRun(row)
    }

    func publication(_ topic: String, _ model: String) throws -> Registry.Publication {
        if topic.hasSuffix(VerificationMarker.topicSuffix),
            let verified = registry.publications.first(where: { $0.verificationTopic == topic })
        {
            throw DionysusError(
                .notFound,
                "topic \(topic) is written by verification runs alone",
                advice: "name the topic \(verified.topic)"
            )
        }
        if let publication = registry.publication(topic: topic, modelName: model) { return publication }
        let inTopic = registry.publications.filter { $0.topic == topic || $0.genesisTopic == topic }
        guard let some = inTopic.first else {
            let declared = registry.topics
            let isReplica = declared.contains { $0 + "_genesis" == topic }
            throw DionysusError(
                .notFound,
                isReplica
                    ? "topic \(topic.dropLast("_genesis".count)) has no genesis replica" : "there is no topic \(topic)",
                advice: "the declared topics are \(declared.joined(separator: ", "))"
            )
        }
        let parents = registry.parents(ofDependency: model, in: some.topic)
        guard parents.isEmpty else {
            throw DionysusError(
                .declaration,
                "\(model) is published in topic \(topic) only as a part of \(parents.joined(separator: ", "))",
                advice: "start a genesis of \(parents.joined(separator: " or "))"
            )
        }
        throw DionysusError(
            .notFound,
            "topic \(topic) publishes no model \(model)",
            advice: "it publishes \(inTopic.map(\.model.name).joined(separator: ", "))"
        )
    }
}
