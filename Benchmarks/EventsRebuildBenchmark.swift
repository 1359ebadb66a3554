import Dionysus
import DionysusEvents
import DionysusPostgres

extension Benchmark {
    static let eventsRebuild = Benchmark(
        name: "events-rebuild",
        figures: [
            Figure(
                name: "rebuild of a read model from 1,000,000 events of 10,000 streams",
                unit: "events/s",
                targets: [.atLeast(100_000)]
            ),
            Figure(name: "floor: reading and decoding them", unit: "events/s"),
            Figure(name: "numbering them for the global order", unit: "events/s"),
        ],
        isLong: true,
        run: {
            try await EventsFixture.with { fixture in
                let count = 1_000_000
                try await fixture.fill(count, streams: 10_000)
                let numbering = try await fixture.rate(of: count) {
                    try await EventOrder().extend(on: fixture.database)
                }
                try await fixture.database.outsideTransaction("VACUUM ANALYZE dionysus_stream_events")
                let projector = Projector(BalanceSheet(), EventsFixture.store)
                try await fixture.database.transaction(.write) { try projector.create(in: &$0) }
                let rebuild = try await fixture.rate(of: count) {
                    _ = try await ProjectionRebuild(of: projector, on: fixture.database).run()
                }
                let reader = EventReader("floor", EventsFixture.store, fixture.database, batchSize: 20_000) { _, _ in }
                let reading = try await fixture.rate(of: count) { try await reader.catchUp() }
                return [rebuild, reading, numbering]
            }
        }
    )

    /// Appends are inline: each of them waits while the tables are swapped.
    static let eventsRebuildLive = Benchmark(
        name: "events-rebuild-live",
        figures: [
            Figure(
                name: "rebuild of 1,000,000 events beside 500 appends a second, stopped halfway and resumed",
                unit: "events/s"
            ),
            Figure(name: "appends a second during the rebuild", unit: "appends/s"),
            Figure(name: "the median append with its read model during the rebuild", unit: "ms"),
            Figure(name: "the longest append during the rebuild, the swap included", unit: "ms"),
            Figure(name: "rows that differ from a table made from scratch", unit: "rows", targets: [.atMost(0)]),
        ],
        isLong: true,
        run: {
            try await EventsFixture.with { fixture in
                let count = 1_000_000
                try await fixture.fill(count, streams: 10_000)
                let projector = Projector(BalanceSheet(), EventsFixture.store)
                try await fixture.database.transaction(.write) { try projector.create(in: &$0) }
                // The tables that are read have everything, as where a consumer has run.
                let rebuild = ProjectionRebuild(of: projector, on: fixture.database)
                _ = try await rebuild.run()
                let writer = Task { try await fixture.appendInline(with: projector, perSecond: 500) }
                let time = try await ContinuousClock()
                    .measure {
                        do {
                            _ = try await rebuild.run { if $0 >= count / 2 { throw RebuildStopped() } }
                        } catch is RebuildStopped {}
                        _ = try await rebuild.run()
                    }
                writer.cancel()
                let latencies = try await writer.value
                let differences = try await fixture.differences()
                return [
                    Double(count) / seconds(time), Double(latencies.count) / seconds(time), latencies.median,
                    latencies.max() ?? 0, Double(differences),
                ]
            }
        }
    )
}

private struct RebuildStopped: Error {}
