import Dionysus
import Foundation

extension Benchmark {
    /// A relay's memory for payloads of different sizes.
    static let growthRelayMemory = Benchmark(
        name: "growth-relay-memory",
        figures: payloads.flatMap { size, rows in
            [
                Figure(
                    name: "peak of resident memory, relay, \(rows.formatted()) payloads of \(size.formatted()) bytes",
                    unit: "MB",
                    targets: [.atMost(256)]
                ),
                Figure(name: "what it publishes of them", unit: "MB/s"),
            ]
        },
        isLong: true,
        run: {
            var figures: [Double] = []
            for (size, rows) in payloads { figures += try await drainPayloads(of: size, rows) }
            return figures
        }
    )

    private static let payloads = [(300, 100_000), (3_000, 50_000), (30_000, 10_000), (300_000, 2_000)]

    /// The peak memory in megabytes, and the megabytes of payload per second.
    private static func drainPayloads(of size: Int, _ rows: Int) async throws -> [Double] {
        try await SourceFixture.with(rentals: rows) { fixture in
            // Hexadecimal digits, 32 at a time, and the rest of the payload.
            let repetitions = max(1, (size - 200) / 32)
            try await fixture.run("UPDATE rentals SET name = repeat(md5(id::text), CAST(\(repetitions) AS integer))")
            try await fixture.fillOutbox()
            return try await withKafkaServers { servers in
                let start = ContinuousClock.now
                let peaks = try await measureInOwnProcess([
                    "relay-process", "--database", try await url(of: fixture.database), "--broker", servers,
                    "--rows", "\(rows)",
                ])
                return [peaks[0], Double(size * rows) / 1e6 / seconds(.now - start)]
            }
        }
    }
}
