import Dionysus
import DionysusEvents

extension Benchmark {
    /// Streams of events: appending, loading, and rebuilding a read model.
    static let events = [eventsAppend, eventsSingle, eventsLoad, eventsRebuild, eventsRebuildLive]

    private static let eventsAppend = Benchmark(
        name: "events-append",
        figures: [
            Figure(name: "appends of 100 events, captured, one writer", unit: "events/s", targets: [.atLeast(20_000)]),
            Figure(name: "floor: bare inserts of 100 rows into a table with the same indexes", unit: "events/s"),
        ],
        run: {
            try await EventsFixture.with { fixture in
                let count = 300
                let appends = try await fixture.rate(of: count * 100) {
                    for number in 0..<count {
                        let events = (0..<100).map { NewEvent(BalanceChanged(amount: $0)) }
                        let stream = StreamName("account", "\(number % 50)")
                        try await EventsFixture.store.append(events, to: stream, on: fixture.database)
                    }
                }
                let floor = try await fixture.rate(of: count * 100) {
                    for number in 0..<count { try await fixture.insertBare(100, number) }
                }
                return [appends, floor]
            }
        }
    )

    private static let eventsSingle = Benchmark(
        name: "events-single",
        figures: [
            Figure(name: "an append of one event to a new stream, captured, in its own transaction", unit: "ms"),
            Figure(name: "an append of one event with an expected position to a stream of 100, captured", unit: "ms"),
            Figure(name: "a bare insert into a table with the same indexes, not captured", unit: "ms"),
            Figure(name: "the append to a new stream, by the bare insert", unit: "times", targets: [.atMost(1.5)]),
        ],
        run: {
            try await EventsFixture.with { fixture in
                let events = (0..<100).map { NewEvent(BalanceChanged(amount: $0)) }
                let store = EventsFixture.store
                let long = StreamName("account", "long")
                try await store.append(events, to: long, on: fixture.database)
                var times: [[Double]] = [[], [], []]
                // Alternately, so that other load affects all of them.
                for number in 0..<3_000 {
                    let kind = number % 3
                    let event = [NewEvent(BalanceChanged(amount: number))]
                    let time = try await ContinuousClock()
                        .measure {
                            switch kind {
                            case 0:
                                let stream = StreamName("account", "new-\(number)")
                                try await store.append(event, to: stream, expecting: .none, on: fixture.database)
                            case 1:
                                let position = Int64(100 + number / 3)
                                try await store.append(
                                    event,
                                    to: long,
                                    expecting: .position(position),
                                    on: fixture.database
                                )
                            default: try await fixture.insertBare(1, number)
                            }
                        }
                    if number >= 300 { times[kind].append(seconds(time) * 1_000) }
                }
                let medians = times.map(\.median)
                return medians + [medians[0] / medians[2]]
            }
        }
    )

    private static let eventsLoad = Benchmark(
        name: "events-load",
        figures: [
            Figure(name: "loading a stream of 1,000 events", unit: "ms", targets: [.atMost(5)]),
            Figure(name: "floor: the query alone", unit: "ms"),
        ],
        run: {
            try await EventsFixture.with { fixture in
                try await fixture.fill(100_000, streams: 100)
                let stream = StreamName("account", "7")
                var (loads, queries): ([Double], [Double]) = ([], [])
                for _ in 0..<50 {
                    let load = try await ContinuousClock()
                        .measure { _ = try await EventsFixture.store.read(stream, on: fixture.database) }
                    let query = try await ContinuousClock()
                        .measure {
                            try await fixture.run(
                                """
                                SELECT id, stream, position, number, type, version, data, metadata, created_at
                                FROM dionysus_stream_events WHERE stream = \(stream.description) ORDER BY position
                                """
                            )
                        }
                    loads.append(seconds(load) * 1_000)
                    queries.append(seconds(query) * 1_000)
                }
                return [loads.median, queries.median]
            }
        }
    )
}
