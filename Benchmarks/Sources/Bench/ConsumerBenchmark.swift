import Dionysus
import DionysusConsumer
import Synchronization

/// Keeps rentals and bookings by convention.
struct RentalMirror: Consumer {
    var onConsumed: @Sendable (ConsumedEvent) -> Void = { _ in }

    var namespaces: [Namespace] {
        Namespace("v3") {
            Topic("rentals")
            Topic("bookings")
        }
    }

    var models: Models {
        Persist("Booking", table: "bookings").replacing("bookings_fees")
    }

    func didConsume(_ event: ConsumedEvent) async { onConsumed(event) }
}

extension Benchmark {
    /// Events per second: records that are new.
    static let consumerCreated = Benchmark(
        name: "consumer-created",
        figures: [
            Figure(name: "50,000 rental_created, one partition", unit: "events/s", targets: [.atLeast(30_000)]),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: { try await withReplica { try await consume(.created, .rentals, into: $0) } }
    )

    /// Events per second: records that are known.
    static let consumerUpdated = Benchmark(
        name: "consumer-updated",
        figures: [
            Figure(name: "50,000 rental_updated, one partition", unit: "events/s", targets: [.atLeast(30_000)]),
            Figure(name: "floor: the upserts alone", unit: "events/s"),
        ],
        run: { try await withReplica { try await consume(.updated, .rentals, into: $0) } }
    )

    /// Bookings per second, each with the fees that came along.
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

    /// Events per second into a file of SQLite.
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

/// How many events of a stream a second have been applied, from the start of the service to the last event, and how many
/// records the upserts alone write.
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

/// The time until the last event has been committed; what a consumer does to notice that it has caught up is left out.
private func applyAll(
    _ stream: ReplicatedStream,
    _ broker: any MessageBroker,
    _ replica: any Database
) async throws -> Duration {
    let clock = ContinuousClock()
    let start = clock.now
    let arrivals = Mutex((left: stream.count, last: start))
    let mirror = RentalMirror { _ in
        arrivals.withLock { arrivals in
            arrivals.left -= 1
            if arrivals.left == 0 { arrivals.last = clock.now }
        }
    }
    try await ConsumerService(mirror, database: replica, broker: broker, stopsWhenCaughtUp: true, logger: quiet).run()
    return try arrivals.withLock { arrivals in
        guard arrivals.left == 0 else { throw DionysusError(.application, "\(arrivals.left) events are missing") }
        return arrivals.last - start
    }
}
