import Dionysus
import DionysusConsumer
import DionysusKafka
import DionysusSchemas
import Synchronization

/// Replicates rentals and bookings by convention.
struct RentalMirror: Consumer {
    var encoding: TopicEncoding = .envelope
    var onConsumed: @Sendable (ConsumedEvent) -> Void = { _ in }

    var namespaces: [Namespace] {
        Namespace("v3") {
            Topic("rentals", encoding: encoding, accepting: ["Rental"])
            Topic("bookings")
        }
    }

    var models: Models {
        Persist("Booking", table: "bookings").replacing("bookings_fees")
    }

    func didConsume(_ event: ConsumedEvent) async { onConsumed(event) }
}

extension Benchmark {
    /// Events per second for new records.
    static let consumerCreated = Benchmark(
        name: "consumer-created",
        figures: [
            Figure(
                name: "\(backlog.formatted()) rental_created, one partition",
                unit: "events/s",
                targets: [.atLeast(30_000), .atLeastOfFloor(0.75)]
            ),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: { try await withReplica { try await consume(.created, .rentals(backlog), into: $0) } }
    )

    /// Events per second for known records.
    static let consumerUpdated = Benchmark(
        name: "consumer-updated",
        figures: [
            Figure(
                name: "\(backlog.formatted()) rental_updated, one partition",
                unit: "events/s",
                targets: [.atLeast(30_000), .atLeastOfFloor(0.75)]
            ),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: { try await withReplica { try await consume(.updated, .rentals(backlog), into: $0) } }
    )

    /// Events per second for records in Avro; the floor is the same in envelopes.
    static let consumerAvro = Benchmark(
        name: "consumer-avro",
        figures: [
            Figure(
                name: "50,000 created rentals as records in Avro, one partition",
                unit: "events/s",
                targets: [.atLeastOfFloor(1)]
            ),
            Figure(name: "floor: the same in envelopes", unit: "events/s"),
            Figure(
                name: "50,000 updated rentals as records in Avro, one partition",
                unit: "events/s",
                targets: [.atLeastOfFloor(1)]
            ),
            Figure(name: "floor: the same in envelopes", unit: "events/s"),
        ],
        run: {
            var figures: [Double] = []
            for change in [EventName.Change.created, .updated] {
                for stream in [try ReplicatedStream.avroRentals(), .rentals] {
                    figures.append(try await withReplica { try await consume(change, stream, into: $0)[0] })
                }
            }
            return figures
        }
    )

    /// Bookings per second, each with sideloaded fees.
    static let consumerBookings = Benchmark(
        name: "consumer-bookings",
        figures: [
            Figure(
                name: "20,000 booking_created with 3 fees each, one partition",
                unit: "bookings/s",
                targets: [.atLeast(10_000)]
            ),
            Figure(name: "floor: the upserts alone", unit: "bookings/s"),
            Figure(
                name: "20,000 booking_updated with 3 fees each, one partition",
                unit: "bookings/s",
                targets: [.atLeast(10_000)]
            ),
            Figure(name: "floor: the upserts alone", unit: "bookings/s"),
        ],
        run: {
            try await withReplica { try await consume(.created, .bookings, into: $0) }
                + withReplica { try await consume(.updated, .bookings, into: $0) }
        }
    )

    /// Events per second over Kafka's protocol; the floor uses the embedded log.
    static let consumerKafka = Benchmark(
        name: "consumer-kafka",
        figures: [
            Figure(
                name: "\(backlog.formatted()) rental_created behind, one partition, by Kafka's protocol",
                unit: "events/s",
                targets: [.atLeast(60_000), .atLeastOfFloor(0.8)]
            ),
            Figure(name: "floor: the same from the embedded log", unit: "events/s"),
        ],
        run: {
            let kafka = try await consumeFromKafka(backlog, partitions: 1)
            let embedded = try await withReplica { replica in
                try await withEmbeddedLog { broker in
                    let stream = ReplicatedStream.rentals(backlog)
                    try await broker.createTopics([TopicSpecification(name: stream.topic, partitions: 1)])
                    try await stream.send(.created, version: 1, to: broker)
                    return try await applyAll(stream, broker, replica)
                }
            }
            return [kafka, seconds(embedded)].map { Double(backlog) / $0 }
        }
    )

    /// The same backlog in one partition and in four, over Kafka's protocol.
    static let growthOnePartition = Benchmark(
        name: "growth-one-partition",
        figures: [
            Figure(name: "\(backlog.formatted()) rental_created behind, four partitions", unit: "s"),
            Figure(name: "the same, one partition", unit: "s"),
            Figure(name: "one by four", unit: "times", targets: [.atMost(2)]),
        ],
        run: {
            let four = try await consumeFromKafka(backlog, partitions: 4)
            let one = try await consumeFromKafka(backlog, partitions: 1)
            return [four, one, one / four]
        }
    )

    /// Events per second into a SQLite file.
    static let consumerSQLite = Benchmark(
        name: "consumer-sqlite",
        figures: [
            Figure(name: "50,000 rental_created, one partition", unit: "events/s", targets: [.atLeast(60_000)]),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
            Figure(name: "50,000 rental_updated, one partition", unit: "events/s", targets: [.atLeast(60_000)]),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: {
            try await withSQLiteReplica { try await consume(.created, .rentals, into: $0) }
                + withSQLiteReplica { try await consume(.updated, .rentals, into: $0) }
        }
    )
}

/// The backlog of rentals: large enough for the service's start not to count, and as much as fits into the 5 MiB that the mock
/// cluster keeps of a partition, compressed.
private let backlog = 200_000

/// Settings for large, well compressed batches.
private let compression = [
    "compression.codec": "zstd", "linger.ms": "200", "batch.num.messages": "10000", "message.max.bytes": "4000000",
    "batch.size": "4000000",
]

/// The seconds to apply a backlog of rentals.
private func consumeFromKafka(_ count: Int, partitions: Int) async throws -> Double {
    let stream = ReplicatedStream.rentals(count)
    return try await withReplica { replica in
        try await withKafkaTopic(stream.topic, partitions: Int32(partitions)) { servers, prefix in
            let broker = try KafkaBroker(bootstrapServers: servers)
            try await stream.send(
                .created,
                version: 1,
                to: broker,
                prefix: prefix,
                partitions: partitions,
                settings: compression
            )
            let ranges = try await broker.offsets(
                of: (0..<Int32(partitions)).map { TopicPartition(prefix + stream.topic, $0) }
            )
            guard ranges.values.reduce(0, { $0 + $1.next - $1.first }) == Int64(count) else {
                throw DionysusError(.application, "the log does not hold all of the backlog")
            }
            let spent = try await applyAll(stream, broker, replica, prefix: prefix)
            await broker.close()
            return seconds(spent)
        }
    }
}

/// Applied events per second, from the start of the service to the last event, and the records per second of the
/// upserts alone.
private func consume(
    _ change: EventName.Change,
    _ stream: ReplicatedStream,
    into replica: any Database
) async throws -> [Double] {
    let spent = try await withEmbeddedLog { broker in
        try await broker.createTopics([TopicSpecification(name: stream.topic, partitions: 1)])
        try await stream.send(.created, version: 1, to: broker)
        if change == .updated {
            _ = try await applyAll(stream, broker, replica)
            try await stream.send(.updated, version: 2, to: broker)
        }
        return try await applyAll(stream, broker, replica)
    }
    if change == .created { try await stream.clear(replica) }
    let floor = try await ContinuousClock().measure { try await stream.upsertAlone(into: replica) }
    return [Double(stream.count) / seconds(spent), Double(stream.count) / seconds(floor)]
}

/// The time until the last event is committed, without the time to detect that the consumer has caught up.
///
/// Over Kafka's protocol it starts with the first event, to exclude the broker's time for the group's assignment.
private func applyAll(
    _ stream: ReplicatedStream,
    _ broker: any MessageBroker,
    _ replica: any Database,
    prefix: String? = nil
) async throws -> Duration {
    let clock = ContinuousClock()
    let start = clock.now
    let arrivals = Mutex((left: stream.count, first: prefix == nil ? start : nil, last: start))
    let mirror = RentalMirror(encoding: stream.encoding) { _ in
        arrivals.withLock { arrivals in
            arrivals.first = arrivals.first ?? clock.now
            arrivals.left -= 1
            if arrivals.left == 0 { arrivals.last = clock.now }
        }
    }
    var settings = ConsumerSettings()
    settings.topicPrefix = prefix ?? ""
    settings.groupID = "bench_\(prefix ?? "")"
    try await ConsumerService(
        mirror,
        database: replica,
        broker: broker,
        settings: settings,
        mode: .untilCaughtUp,
        logger: quiet
    )
    .run()
    return try arrivals.withLock { arrivals in
        guard arrivals.left == 0 else { throw DionysusError(.application, "\(arrivals.left) events are missing") }
        return arrivals.last - (arrivals.first ?? start)
    }
}
