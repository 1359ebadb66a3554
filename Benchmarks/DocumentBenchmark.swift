import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import DionysusPostgres
import Foundation
import Synchronization

// A consumer's memory for documents of different sizes.

/// Replicates documents and their parts by convention.
struct DocumentMirror: Consumer {
    let onConsumed: @Sendable (ConsumedEvent) -> Void

    var namespaces: [Namespace] { Namespace("v3") { Topic("documents") } }

    var models: Models { Persist("Document", table: "documents").replacing("parts") }

    func didConsume(_ event: ConsumedEvent) async { onConsumed(event) }
}

/// Documents of one shape, with a given total payload.
struct DocumentStream: Sendable {
    /// The approximate size of a payload, in bytes.
    var size: Int
    /// The number of columns that it is spread over.
    var columns = 10
    /// The number of sideloaded parts that it is spread over instead.
    var parts = 0
    var partitions = 1
    var count: Int
    /// Whether they are read over Kafka's protocol.
    var isKafka = false

    var name: String {
        let shape = parts > 0 ? "\(parts.formatted()) parts" : "\(columns) columns"
        let kilobytes = (Double(size) / 1_000).formatted(.number.precision(.fractionLength(0...1)))
        let log = isKafka ? "Kafka's protocol" : "the embedded log"
        return "\(count.formatted()) × \(kilobytes) KB, \(shape), \(partitions) partitions, \(log)"
    }

    static let postgres = [
        DocumentStream(size: 300, count: 100_000),
        DocumentStream(size: 3_000, count: 30_000),
        DocumentStream(size: 30_000, count: 4_000),
        DocumentStream(size: 300_000, count: 400),
        DocumentStream(size: 10_000, columns: 200, count: 10_000),
        DocumentStream(size: 200_000, parts: 1_000, count: 200),
        DocumentStream(size: 30_000, partitions: 16, count: 4_000),
        DocumentStream(size: 300_000, partitions: 64, count: 640),
        DocumentStream(size: 3_000, partitions: 16, count: 20_000, isKafka: true),
        DocumentStream(size: 300_000, partitions: 64, count: 640, isKafka: true),
        DocumentStream(size: 5_000_000, partitions: 64, count: 64, isKafka: true),
        DocumentStream(size: 40_000_000, count: 4),
    ]

    static let sqlite = [
        DocumentStream(size: 300, count: 100_000),
        DocumentStream(size: 300_000, count: 400),
        DocumentStream(size: 10_000, columns: 200, count: 10_000),
        DocumentStream(size: 200_000, parts: 1_000, count: 200),
        DocumentStream(size: 300_000, partitions: 64, count: 640),
        DocumentStream(size: 40_000_000, count: 4),
    ]

    private var topic: String { "v3_documents" }

    /// Applies the documents in a separate process.
    /// - Returns: Its peak memory in MB, and the payload applied per second in MB.
    func runOnPostgres() async throws -> [Double] {
        try await withReplica { replica in
            try await makeDocumentTables(columns: columns, in: replica)
            return try await run(on: try await url(of: replica))
        }
    }

    /// The same with a replica in SQLite.
    func runOnSQLite() async throws -> [Double] {
        try await withSQLiteReplica { replica in
            try await makeDocumentTables(columns: columns, in: replica)
            return try await run(on: replica.location)
        }
    }

    private func run(on database: String) async throws -> [Double] {
        if isKafka {
            return try await withKafkaTopic(topic, partitions: Int32(partitions)) { servers, prefix in
                let broker = try KafkaBroker(bootstrapServers: servers)
                try await send(to: broker, prefix: prefix)
                await broker.close()
                return try await measure(database, servers, prefix)
            }
        }
        return try await withEmbeddedLog { log in
            try await log.createTopics([TopicSpecification(name: topic, partitions: Int32(partitions))])
            try await send(to: log, prefix: "")
            return try await measure(database, log.path, "")
        }
    }

    private func measure(_ database: String, _ broker: String, _ prefix: String) async throws -> [Double] {
        let figures = try await measureInOwnProcess([
            "document-process", "--database", database, "--broker", broker, "--prefix", prefix, "--messages",
            "\(count)",
        ])
        return [figures[0], Double(size * count) / 1e6 / figures[1]]
    }

    private func send(to broker: any MessageBroker, prefix: String) async throws {
        var noise = Noise()
        let producer = try await broker.makeProducer(
            ProducerOptions(clientID: "bench", settings: isKafka ? ["message.max.bytes": "10000000"] : [:])
        )
        let length = max(1, min(1_000, 4_000_000 / size))
        for first in stride(from: 1, through: count, by: length) {
            let messages = (first...min(first + length - 1, count))
                .map { id in
                    OutgoingMessage(
                        topic: prefix + topic,
                        destination: .partition(Int32(id % partitions)),
                        key: Array("Document:\(id)".utf8),
                        value: Array(payload(id, &noise).utf8),
                        headers: [MessageHeader(HeaderName.version, Array("1".utf8))]
                    )
                }
            for result in await producer.send(messages) { _ = try result.get() }
        }
        await producer.close(deadline: .seconds(10))
    }

    private func payload(_ id: Int, _ noise: inout Noise) -> String {
        let times = #""created_at":"2026-11-21T03:59:48.440000Z","updated_at":"2026-11-21T04:00:01.440000Z""#
        let attributes = (1...columns)
            .map { #""c\#($0)":"\#(noise.text(parts > 0 ? 10 : max(1, (size - 200) / columns - 8)))""# }
        let records = (0..<parts)
            .map { number in
                """
                {"id":\(id * parts + number),"body":"\(noise.text(max(1, size / parts - 150)))",\(times),\
                "links":{"document":\(id)}}
                """
            }
        let sideload =
            records.isEmpty
            ? ""
            : """
            ,"links":{"parts":[\((0..<parts).map { "\(id * parts + $0)" }.joined(separator: ","))]},\
            "parts":[\(records.joined(separator: ","))]
            """
        return """
            {"message":[{"event":"document_created","model_name":"Document","data":[{"id":\(id),\(times),\
            \(attributes.joined(separator: ","))\(sideload)}]}]}
            """
    }
}

extension Benchmark {
    static let growthConsumerMemory = consumerMemory("growth-consumer-memory", of: DocumentStream.postgres) {
        try await $0.runOnPostgres()
    }

    static let growthConsumerMemorySQLite = consumerMemory("growth-sqlite-consumer-memory", of: DocumentStream.sqlite) {
        try await $0.runOnSQLite()
    }

    private static func consumerMemory(
        _ name: String,
        of streams: [DocumentStream],
        _ run: @escaping @Sendable (DocumentStream) async throws -> [Double]
    ) -> Benchmark {
        Benchmark(
            name: name,
            figures: streams.flatMap { stream in
                [
                    Figure(
                        name: "peak of resident memory, \(stream.name)",
                        unit: "MB",
                        // A record that is larger than the budget goes alone, and comes on top.
                        targets: [.atMost(256 + (stream.size > 10_000_000 ? Double(stream.size) / 1e6 : 0))]
                    ),
                    Figure(name: "payload of it applied a second", unit: "MB/s"),
                ]
            },
            isLong: true,
            run: {
                var figures: [Double] = []
                for stream in streams { figures += try await run(stream) }
                return figures
            }
        )
    }
}

/// Applies documents, and prints its memory and the seconds from the first to the last.
struct DocumentProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "document-process", shouldDisplay: false)

    @Option var database: String
    @Option(help: "A cluster's brokers, or an embedded log's file.") var broker: String
    @Option var prefix: String
    @Option var messages: Int

    func run() async throws {
        let broker = try openBroker(broker)
        var settings = ConsumerSettings()
        settings.topicPrefix = prefix
        settings.groupID = "bench_\(UUID().uuidString)"
        // Excludes the cluster's time for the group's assignment.
        let arrivals = ArrivalTimes(of: messages, from: self.broker.hasPrefix("/") ? .now : nil)
        try await ConsumerService(
            DocumentMirror { _ in arrivals.add() },
            database: openDatabase(database),
            broker: broker,
            settings: settings,
            mode: .untilCaughtUp,
            logger: quiet
        )
        .run()
        print(Usage.peakMemory, try arrivals.spent())
    }
}

/// Records when the first and the last of some events arrived.
private final class ArrivalTimes: Sendable {
    private let state: Mutex<(left: Int, first: ContinuousClock.Instant?, last: ContinuousClock.Instant?)>

    /// - Parameters:
    ///   - start: The start time; nil for the first event.
    init(of count: Int, from start: ContinuousClock.Instant?) { state = Mutex((count, start, nil)) }

    func add() {
        state.withLock { state in
            state.first = state.first ?? .now
            state.left -= 1
            if state.left == 0 { state.last = .now }
        }
    }

    /// The seconds from the first to the last.
    func spent() throws -> Double {
        try state.withLock { state in
            guard let first = state.first, let last = state.last else {
                throw DionysusError(.application, "\(state.left) events are missing")
            }
            return seconds(last - first)
        }
    }
}

private func makeDocumentTables(columns: Int, in replica: any Database) async throws {
    try await makeTable("documents", (1...columns).map { ("c\($0)", .text) }, in: replica)
    try await makeTable("parts", [("body", .text), ("synced_document_id", .bigint)], in: replica)
    try await execute(replica, "CREATE INDEX parts_by_document ON parts (synced_document_id)")
}

/// Incompressible texts, the same in every run.
private struct Noise {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15

    mutating func text(_ count: Int) -> String {
        String(unsafeUninitializedCapacity: count) { buffer in
            for index in 0..<count {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                buffer[index] = Self.letters[Int(state >> 58)]
            }
            return count
        }
    }
}
