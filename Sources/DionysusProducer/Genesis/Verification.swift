package import Dionysus

/// Compares replicas with their source, in durable runs that relays work on.
///
///     let verification = Verification(database: database, registry: registry)
///     let run = try await verification.start(topic: "v3_rentals", model: "Rental", on: broker)
///
/// A run publishes what a model's records look like now to the topic's verification topic, `v3_rentals_verification`.
/// Consumers that declare the topic as `verified()` compare that with their rows, and store what differs.
package struct Verification: Sendable {
    /// The largest number of records in a chunk: the message about it names all of them.
    private static let largestChunk = 1_000

    private let genesis: Genesis

    /// Creates the interface to the runs of a database.
    /// - Parameters:
    ///   - database: The database whose records are compared with.
    ///   - settings: The settings, for the size of chunks.
    package init(
        database: any CapturingDatabase,
        registry: Registry,
        settings: ProducerSettings = ProducerSettings()
    ) {
        genesis = Genesis(database: database, registry: registry, settings: settings)
    }

    /// Starts a run, which relays then work on.
    /// - Parameters:
    ///   - topic: The full name of the topic whose replicas are compared.
    ///   - model: The model's name.
    ///   - from: The first primary key as text; nil for all.
    ///   - to: The last primary key as text; nil for all.
    ///   - spread: The time over which the chunks are spread evenly; nil for as fast as possible.
    ///   - broker: Where the verification topic is created if it doesn't exist.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` for a topic or model that isn't declared, `conflict` while
    ///   another run compares the same, `configuration` for keys that aren't the model's, and as the broker.
    package func start(
        topic: String,
        model: String,
        from: String? = nil,
        to: String? = nil,
        over spread: Duration? = nil,
        on broker: any MessageBroker
    ) async throws -> GenesisRun {
        let run = try await start(topic, model, from: from, to: to, over: spread, unlessWithin: nil, on: broker)
        guard let run else { throw DionysusError(.conflict, "another process has started the run") }
        return run
    }

    /// Starts a run, unless one was started within a time.
    func start(
        _ topic: String,
        _ model: String,
        from: String? = nil,
        to: String? = nil,
        over spread: Duration? = nil,
        unlessWithin pause: Duration?,
        on broker: any MessageBroker
    ) async throws -> GenesisRun? {
        let publication = try genesis.publication(topic, model)
        guard publication.topic == topic else {
            throw DionysusError(
                .notFound,
                "topic \(topic) has no replicas of its own to compare",
                advice: "verify \(publication.topic)"
            )
        }
        if let spread, spread <= .zero {
            throw DionysusError(.configuration, "a run can't be spread over no time", advice: "give a time above zero")
        }
        try await createTopic(of: publication, on: broker)
        let chunkSize = min(genesis.settings.genesisChunkSize, Self.largestChunk)
        return try await genesis.database.transaction(.write) {
            [genesis, statements = genesis.statements] transaction in
            try statements.requireTables(in: &transaction)
            let outbox = try Outbox.open(of: genesis.database, in: &transaction)
            try Self.require(outbox)
            try throwFaults(hiddenRows(genesis.registry, genesis.database, in: &transaction))
            let locks = transaction.dialect.transactionLock("dionysus:verification")
            if !locks.isEmpty { try transaction.run(locks) }
            try Self.refuseSecond(publication, statements, in: &transaction)
            if let pause, try statements.wasStarted(publication, within: pause, in: &transaction) { return nil }
            let version = try transaction.run(outbox.support.drawVersion()).first?.integer(0) ?? 0
            var selection = GenesisSelection()
            selection.verification = VerificationScope(version: version, from: from, to: to)
            _ = try GenesisRecords(publication, selection, in: &transaction)
            let start = statements.start(
                topic: publication.verificationTopic,
                model: model,
                selection: selection,
                context: OutboxContext(),
                spread: spread,
                chunkSize: chunkSize
            )
            let id = try transaction.run(start).first?.integer(0) ?? 0
            return try Genesis.read(id, statements, in: &transaction)
        }
    }

    /// All runs, the oldest first.
    /// - Throws: ``/Dionysus/DionysusError`` as for a transaction.
    package func runs() async throws -> [GenesisRun] { try await genesis.runs().filter(\.isVerification) }

    /// One run.
    /// - Throws: ``/Dionysus/DionysusError`` with code `notFound` if there is none.
    package func run(_ id: Int64) async throws -> GenesisRun {
        let run = try await genesis.run(id)
        guard run.isVerification else {
            throw DionysusError(.notFound, "run \(id) is none of a verification", advice: "list the verification runs")
        }
        return run
    }

    /// Takes no more chunks of a run, until it is resumed.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound`, or `conflict` if the run isn't running.
    package func pause(_ id: Int64) async throws -> GenesisRun { try await genesis.pause(run(id).id) }

    /// Continues a run that was paused or has failed.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound`, or `conflict` if the run is neither paused nor failed.
    package func resume(_ id: Int64) async throws -> GenesisRun { try await genesis.resume(run(id).id) }

    /// Ends a run; what it has found doesn't count.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound`, or `conflict` if the run has ended.
    package func cancel(_ id: Int64) async throws -> GenesisRun { try await genesis.cancel(run(id).id) }

    /// Publishes records again, through the outbox: what replicas lack gets there with a version of its own.
    ///
    /// A record that no longer exists is left out: its end has been captured.
    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - model: The model's name.
    ///   - ids: The primary keys as text.
    /// - Returns: How many records will be published.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` for a topic or model that isn't declared, and as for a transaction.
    package func publish(topic: String, model: String, ids: [String]) async throws -> Int {
        let publication = try genesis.publication(topic, model)
        var published = 0
        for start in stride(from: 0, to: ids.count, by: Self.largestChunk) {
            let part = Array(ids[start..<min(start + Self.largestChunk, ids.count)])
            published += try await genesis.database.transaction(.write) { [genesis] transaction in
                let outbox = try Outbox.open(of: genesis.database, in: &transaction)
                try transaction.run(outbox.support.seeingAllRows())
                var context = OutboxContext()
                context.origin = "repair"
                let chunk = TableChunk(
                    runID: 0,
                    topic: topic,
                    publication: publication,
                    records: try GenesisRecords(publication, GenesisSelection(), in: &transaction),
                    keysAfter: nil,
                    keysUntil: nil,
                    outbox: outbox,
                    context: context,
                    isVerification: false
                )
                return try chunk.queue(only: part, in: &transaction).count
            }
        }
        return published
    }

    /// The rows that a run writes say whose they are in columns, and in changesets, that not every outbox has.
    private static func require(_ outbox: Outbox) throws {
        guard outbox.hasContext, outbox.hasChangeset else {
            throw DionysusError(
                .declaration,
                "the outbox is a table of dionysus-rb, which can't hold the rows of a verification",
                advice: "let Dionysus make the outbox"
            )
        }
    }

    /// One run at a time compares a model in a topic; several processes may be about to start one.
    private static func refuseSecond(
        _ publication: Registry.Publication,
        _ statements: GenesisStatements,
        in transaction: inout Transaction
    ) throws {
        let same = try transaction.run(
            statements.openRuns(of: publication.model.name, in: publication.verificationTopic)
        )
        guard let row = same.first, let id = try row.integer(0) else { return }
        throw DionysusError(
            .conflict,
            "verification run \(id) of \(publication.model.name) in topic \(publication.topic) is \(try row.text(1) ?? "")",
            advice: "wait for it, or cancel it"
        )
    }

    /// Creates the verification topic, with the partitions of the topic itself.
    private func createTopic(of publication: Registry.Publication, on broker: any MessageBroker) async throws {
        let found = try await broker.describeTopics([publication.topic, publication.verificationTopic])
        guard !found.contains(where: { $0.name == publication.verificationTopic }) else { return }
        var specification =
            genesis.registry.specifications.first { $0.name == publication.topic }
            ?? TopicSpecification(name: publication.topic)
        specification.name = publication.verificationTopic
        if let main = found.first(where: { $0.name == publication.topic }) {
            specification.partitions = main.partitions
        }
        // Every message of a run counts, and none after its run.
        specification.settings["cleanup.policy"] = "delete"
        specification.settings["retention.ms"] = "604800000"
        try await broker.createTopics([specification])
    }
}
