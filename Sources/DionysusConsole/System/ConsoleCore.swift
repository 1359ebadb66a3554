import Dionysus
import DionysusConsumer
import DionysusProducer
import Logging
import Synchronization

/// What all requests share: the system, what was read of it a moment ago, who may ask, and what is being done.
final class ConsoleCore: Sendable {
    let system: ObservedSystem
    let settings: ConsoleSettings
    let gate: Gate
    let mask: Mask
    let logger: Logger
    let actions: ActionCenter
    let streams = StreamLimit()
    let tails = TopicTails()

    let outbox: Shared<OutboxReport.Summary>?
    let failures: Shared<FailureSurvey>?
    /// How many failures there are; counting all of them takes its time.
    let failureCount: Shared<Int64>?
    let lag: Shared<[PartitionLag]>?
    let consumers: Shared<[RunningConsumer]>?
    let runs: Shared<[GenesisRun]>?
    let processes: Shared<ProcessReport>
    let topics: Shared<[TopicComparison]>?
    let checks: Shared<[SystemReport.Check]>
    private let charts = Mutex<[Int64: Shared<SampleSeries?>]>([:])
    private let fragments = Mutex<[String: ShownFragment]>([:])

    init(_ system: ObservedSystem, settings: ConsoleSettings, logger: Logger) {
        self.system = system
        self.settings = settings
        self.logger = logger
        gate = Gate(settings: settings)
        mask = Mask(members: settings.maskedMembers)
        actions = ActionCenter(logger: logger)
        let tables = Self.tables(of: system)
        outbox = system.producer.map { side in
            Shared(maxAge: .milliseconds(1500)) { try await OutboxReport.Summary.read(side) }
        }
        runs = system.producer.map { side in
            Shared(maxAge: .seconds(2)) {
                try await Genesis(database: side.database, registry: side.registry, settings: side.settings).runs()
            }
        }
        let failureList = Self.failures(of: system, logger)
        failures = failureList.map { list in
            Shared(maxAge: .seconds(2), waitsOnlyOnce: true) { try await list.survey() }
        }
        failureCount = system.consumer.map { side in
            Shared(maxAge: .seconds(2)) { try await side.database.countFailures(of: side.settings.effectiveGroupID) }
        }
        if let consumer = system.consumer, let broker = system.broker {
            lag = Shared(maxAge: .seconds(2)) {
                try await ConsumerLag(
                    consumer.consumer,
                    database: consumer.database,
                    broker: broker,
                    settings: consumer.settings
                )
                .partitions()
            }
            consumers = Shared(maxAge: .seconds(2)) {
                try await ConsumerPositions(
                    consumer.consumer,
                    database: consumer.database,
                    broker: broker,
                    settings: consumer.settings
                )
                .runningConsumers()
            }
        } else {
            (lag, consumers) = (nil, nil)
        }
        processes = Shared(maxAge: .seconds(3)) { try await ProcessReport.read(tables) }
        topics = system.broker.map { broker in
            Shared(maxAge: .seconds(10)) { try await TopicComparison.all(of: system, on: broker) }
        }
        checks = Shared(maxAge: .seconds(15), patience: .seconds(5), waitsOnlyOnce: true) {
            try await SystemReport.Check.all(of: system, tables)
        }
    }

    /// The console's tables, the source's before the replica's.
    static func tables(of system: ObservedSystem) -> [ConsoleTables] {
        [
            system.producer.map { ConsoleTables(source: $0.database) },
            system.consumer.map { ConsoleTables(replica: $0.database) },
        ]
        .compactMap(\.self)
    }

    var tables: [ConsoleTables] { Self.tables(of: system) }

    /// Where actions on the outbox are written down.
    var sourceAudit: AuditLog? { system.producer.map { AuditLog(tables: ConsoleTables(source: $0.database)) } }
    /// Where actions on the replica are written down.
    var replicaAudit: AuditLog? { system.consumer.map { AuditLog(tables: ConsoleTables(replica: $0.database)) } }

    var failureList: ConsumerFailures? { Self.failures(of: system, logger) }

    private static func failures(of system: ObservedSystem, _ logger: Logger) -> ConsumerFailures? {
        guard let consumer = system.consumer else { return nil }
        return ConsumerFailures(
            consumer.consumer,
            database: consumer.database,
            broker: system.broker ?? UnreachableBroker(),
            settings: consumer.settings,
            instrumentation: system.instrumentation,
            logger: logger
        )
    }

    /// What processes have written over a time, in seconds.
    func series(_ span: Int64) async -> Reading<SampleSeries?> {
        let tables = tables
        let shared = charts.withLock { charts in
            if let shared = charts[span] { return shared }
            let shared = Shared<SampleSeries?>(maxAge: .seconds(5)) {
                var result: SampleSeries?
                for table in tables {
                    guard let read = try await table.series(.empty(span)) else { continue }
                    if result == nil { result = read } else { result?.merge(read) }
                }
                return result
            }
            charts[span] = shared
            return shared
        }
        return await shared.reading()
    }

    /// A page's changing part, which all who look at it share; it is forgotten when nobody holds it any more.
    func fragment(_ key: String, _ read: @escaping @Sendable () async throws -> LiveFragment) -> Shared<LiveFragment> {
        let new = Shared(maxAge: .milliseconds(1500), patience: .seconds(10), read)
        return fragments.withLock { fragments in
            if let shared = fragments[key]?.shared { return shared }
            fragments = fragments.filter { $0.value.shared != nil }
            fragments[key] = ShownFragment(shared: new)
            return new
        }
    }

    /// Forgets what was read, because something has been changed.
    func invalidate() async {
        await outbox?.invalidate()
        await failures?.invalidate()
        await failureCount?.invalidate()
        await runs?.invalidate()
        let shown = fragments.withLock { fragments in fragments.values.compactMap { $0.shared } }
        for fragment in shown { await fragment.invalidate() }
    }
}

/// A page's changing part for as long as a stream shows it.
private struct ShownFragment: Sendable {
    weak var shared: Shared<LiveFragment>?
}

/// How many pages are live now.
final class StreamLimit: Sendable {
    private let count = Mutex(0)

    /// Takes a place, which is free again when nobody holds it any more.
    /// - Returns: Nil if there was none.
    func enter(_ limit: Int) -> StreamPlace? {
        let hasRoom: Bool = count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
        return hasRoom ? StreamPlace(self) : nil
    }

    fileprivate func leave() { count.withLock { $0 -= 1 } }
}

/// The place of a live page, also of one whose reader is gone before it begins.
final class StreamPlace: Sendable {
    private let limit: StreamLimit

    fileprivate init(_ limit: StreamLimit) { self.limit = limit }

    deinit { limit.leave() }
}
