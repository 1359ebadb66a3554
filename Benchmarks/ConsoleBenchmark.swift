import Dionysus
import DionysusConsole
import DionysusConsumer
import DionysusHTTP
import DionysusHTTPClient
import DionysusKafka
import DionysusKafkaTesting
import DionysusPostgres
import DionysusProducer
import Foundation
import Synchronization

// The console beside a full outbox and many failures.

extension Benchmark {
    static let console = Benchmark(
        name: "console",
        figures: [
            Figure(
                name:
                    "slowest page or API route, p95, with 3,000,000 pending and 5,000,000 published rows and 100,000 failures",
                unit: "ms",
                targets: [.atMost(100)]
            ),
            Figure(name: "the same while a relay works", unit: "ms", targets: [.atMost(100)]),
            Figure(
                name: "the relay's throughput while a page a second is asked for, of that without",
                unit: "%",
                targets: [.atLeast(97)]
            ),
        ],
        isLong: true,
        run: {
            try await SourceFixture.with(rentals: 1_000) { source in
                try await withReplica { replica in
                    try await source.publishRows(5_000_000)
                    try await source.addRows(Looking.rows + 1_000_000)
                    try await replica.addFailures(100_000)
                    let cluster = try MockCluster(brokers: 1)
                    try cluster.createTopic("v3_rentals", partitions: 12)
                    defer { cluster.close() }
                    return try await measureConsole(source, replica, cluster.bootstrapServers)
                }
            }
        }
    )
}

private func measureConsole(
    _ source: SourceFixture,
    _ replica: PostgresDatabase,
    _ servers: String
) async throws -> [Double] {
    let broker = try KafkaBroker(bootstrapServers: servers)
    var system = ObservedSystem(name: "bench")
    system.producer = .init(RentalSync(), database: source.database, settings: source.settings)
    system.consumer = .init(RentalMirror(), database: replica)
    system.broker = broker
    try await ConsoleTables(source: source.database).migrate()
    try await ConsoleTables(replica: replica).migrate()
    let (ports, port) = AsyncStream<Int>.makeStream()
    let server = try ConsoleServer(Console(system, logger: quiet), port: 0, logger: quiet) { port.yield($0) }
    let published = Mutex(0)
    let relay = RelayService(
        source.registry,
        database: source.database,
        broker: broker,
        settings: source.settings,
        logger: quiet,
        onPublished: { batch in published.withLock { $0 += batch.changes.count } }
    )
    let figures = try await withServices(server) {
        var numbers = ports.makeAsyncIterator()
        let reader = try ConsoleReader(port: await numbers.next() ?? 0)
        let alone = try await reader.measure("alone")
        return try await withServices(relay) {
            let share = try await Looking(reader: reader).share { published.withLock { $0 } }
            return [alone, try await reader.measure("beside a relay"), share]
        }
    }
    await broker.close()
    return figures
}

/// Somebody who looks at a console while a relay works, and looks away again.
private struct Looking {
    /// About how many rows a relay publishes meanwhile.
    static let rows = 2_000_000
    private static let windows = 20
    private static let window = Duration.seconds(1)

    let reader: ConsoleReader

    /// How much a relay publishes while somebody looks, in percent of what it publishes otherwise.
    /// - Parameter published: How many rows it has published so far.
    func share(_ published: () -> Int) async throws -> Double {
        try await Task.sleep(for: Self.window)
        var counts = [0, 0]
        var times = [0.0, 0.0]
        for window in 0..<Self.windows {
            let (begin, before) = (ContinuousClock.now, published())
            if window % 2 == 1 {
                try await reader.look(for: Self.window)
            } else {
                try await Task.sleep(for: Self.window)
            }
            counts[window % 2] += published() - before
            times[window % 2] += seconds(.now - begin)
        }
        return 100 * (Double(counts[1]) / times[1]) / (Double(counts[0]) / times[0])
    }
}

/// Asks a console for everything that it has.
private struct ConsoleReader {
    private static let rounds = 40

    private struct Request: Hashable {
        var path: String
        var body: String?

        var name: String { body == nil ? path : "POST \(path)" }
    }

    private let transport: NetworkTransport
    private let address: String

    init(port: Int) throws {
        transport = try NetworkTransport(nil)
        address = "http://127.0.0.1:\(port)"
    }

    /// Asks for each page and route a number of times, in another order each time, and prints their times.
    /// - Returns: The 95th percentile of the slowest, in milliseconds.
    func measure(_ title: String) async throws -> Double {
        let requests = try await requests()
        var times: [Request: [Double]] = [:]
        for _ in 0..<Self.rounds {
            for request in requests.shuffled() {
                let (status, time) = try await ask(request)
                guard (200..<400).contains(status) || status == 404 else {
                    throw DionysusError(.conflict, "\(request.name) is answered with \(status)")
                }
                times[request, default: []].append(time)
            }
        }
        let lines = times.map { (name: $0.key.name, p95: $0.value.percentile(0.95), median: $0.value.median) }
            .sorted { $0.p95 > $1.p95 }
        for line in lines {
            let text = String(format: "%8.1f %8.1f  ", line.p95, line.median) + line.name
            FileHandle.standardError.write(Data("console \(title): p95, median (ms) \(text)\n".utf8))
        }
        return lines.first?.p95 ?? 0
    }

    /// Asks for one of the pages that people open, which is read as often as by two who leave a page open.
    func look(for time: Duration) async throws {
        let end = ContinuousClock.now + time
        let paths = ["/", "/outbox", "/failures", "/record/Rental/42", "/consumers"]
        _ = try await ask(Request(path: paths.randomElement() ?? "/"))
        try await Task.sleep(until: end)
    }

    private func requests() async throws -> [Request] {
        let failures = try await json("/api/v1/failures?limit=1")
        let outbox = try await json("/api/v1/outbox?limit=1")
        let cause = failures["groups"]?.first?["cause"]?.asText ?? ""
        let ids = (failures: failures["failures"]?.first?["id"]?.asText, outbox: outbox["rows"]?.first?["id"]?.asText)
        let filters = [
            "cause=\(encoded(cause))", "topic=v3_rentals", "topic=v3_bookings", "error=none", "state=waiting",
            "key=Rental:500", "topic=v3_rentals&error=constraint&cause=\(encoded(cause))",
        ]
        var paths = [
            "/", "/?span=24h", "/outbox", "/outbox?state=parked", "/outbox?topic=v3_rentals&model=Rental",
            "/outbox?record=42", "/failures", "/record/Rental/42", "/messages", "/messages?topic=v3_rentals",
            "/consumers", "/projections", "/runs", "/verifications", "/system", "/audit", "/actions",
            "/search?q=Rental%2042", "/v1/failures?entity_id=500", "/v1/failures?topic=v3_none",
            "/v1/failures?offset=90000",
        ]
        paths += filters.flatMap { ["/failures?\($0)", "/api/v1/failures?\($0)"] }
        paths += ids.failures.map { ["/failures/\($0)"] } ?? []
        paths += ids.outbox.map { ["/outbox/\($0)"] } ?? []
        guard case .object(let routes)? = try await json("/api/v1/openapi.json")["paths"] else { return [] }
        for route in routes.members where route.value["get"] != nil {
            let id = route.name.contains("outbox") ? ids.outbox : ids.failures
            let path = route.name.replacing("{model}", with: "Rental").replacing("{id}", with: id ?? "42")
            let needs = ["/api/v1/messages": "?topic=v3_rentals", "/api/v1/search": "?q=Rental%2042"]
            paths.append(path + (needs[route.name] ?? ""))
        }
        let dryRuns = ["/api/v1/failures/retry", "/api/v1/outbox/retry"]
            .map { Request(path: $0, body: #"{"all":true,"dry_run":true}"#) }
        return Set(paths).sorted().map { Request(path: $0) } + dryRuns
    }

    private func json(_ path: String) async throws -> JSON {
        try JSON(parsing: try await transport.send(HTTPRequest("GET", address + path)).body)
    }

    private func ask(_ request: Request) async throws -> (status: Int, milliseconds: Double) {
        let wanted = HTTPRequest(
            request.body == nil ? "GET" : "POST",
            address + request.path,
            headers: request.body == nil ? [:] : ["content-type": "application/json"],
            body: request.body.map { Array($0.utf8) }
        )
        let begin = ContinuousClock.now
        let status = try await transport.send(wanted).status
        return (status, seconds(.now - begin) * 1_000)
    }

    private func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}

extension SourceFixture {
    /// Adds rows that have been published.
    fileprivate func publishRows(_ count: Int) async throws {
        try await add(count, published: "now() AT TIME ZONE 'UTC' - interval '1 hour'")
    }

    /// Adds rows that wait.
    fileprivate func addRows(_ count: Int) async throws {
        try await add(count, published: "NULL")
        try await database.outsideTransaction("VACUUM ANALYZE dionysus_outboxes")
        try await database.outsideTransaction("CHECKPOINT")
    }

    private func add(_ count: Int, published: SQL) async throws {
        try await run(
            """
            INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, partition_key, published_at,
              created_at, updated_at)
            SELECT 'Rental', (1 + i % 1000)::text, 'rental_updated', 'v3_rentals', (1 + i % 1000)::text, \(published),
              now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
            FROM generate_series(1, \(count)) i
            """
        )
    }
}

extension PostgresDatabase {
    /// Adds messages that could not be applied, for twenty reasons.
    fileprivate func addFailures(_ count: Int) async throws {
        let group = ConsumerSettings().effectiveGroupID
        let letters = (0..<20).map { Character(Unicode.Scalar(UInt8(97 + $0))) }
        // As the consumer would record them.
        let causes = letters.map { Int64(bitPattern: Array("value \"…\" breaks rule number_\($0)".utf8).fnv1a) }
        let hashes = SQL(raw: causes.map(String.init).joined(separator: ", "))
        try await execute(
            self,
            """
            INSERT INTO dionysus_failures (topic, "group", "partition", "offset", "key", key_hash, payload, metadata,
              entity_id, event_time, event_type, error_class, error_message, cause_hash, attempts, created_at)
            SELECT 'v3_rentals', \(group), i % 12, i, convert_to('Rental:' || i, 'UTF8'), i,
              convert_to('{"message":[{"event":"rental_updated","model_name":"Rental","data":[{"id":' || i || '}]}]}', 'UTF8'),
              '{}', i::text, now() - i * interval '1 second', 'rental_updated', 'constraint',
              'v3_rentals[' || i % 12 || '] offset ' || i || ': value "' || i || '" breaks rule number_' ||
              chr((97 + i % 20)::int), (ARRAY[\(hashes)])[(1 + i % 20)::int], 1, now()
            FROM generate_series(1, \(count)) i
            """
        )
        try await outsideTransaction("VACUUM ANALYZE dionysus_failures")
    }
}

extension [Double] {
    fileprivate func percentile(_ share: Double) -> Double {
        isEmpty ? 0 : sorted()[Swift.max(0, Int((Double(count) * share).rounded(.up)) - 1)]
    }
}

extension JSON {
    fileprivate var first: JSON? { if case .array(let elements) = self { elements.first } else { nil } }

    fileprivate var asText: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): "\(number)"
        default: nil
        }
    }
}
