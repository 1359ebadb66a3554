import Dionysus
import Foundation

extension Benchmark {
    /// A relay's memory for payloads of different sizes.
    static let growthRelayMemory = relayMemory("growth-relay-memory", SourceFixture.self, payloads) { size in
        // Hexadecimal digits, 32 at a time.
        "repeat(md5(CAST(id AS text)), CAST(\(max(1, size / 32)) AS integer))"
    }

    /// The same in SQLite.
    static let growthRelayMemorySQLite = relayMemory(
        "growth-sqlite-relay-memory",
        SQLiteFixture.self,
        payloads + [(40_000_000, 4)]
    ) { size in
        "hex(randomblob(\(size / 2)))"
    }

    /// - Parameter text: An expression for a text of a size.
    private static func relayMemory(
        _ name: String,
        _ source: (some RentalSource).Type,
        _ payloads: [(size: Int, rows: Int)],
        text: @escaping @Sendable (_ size: Int) -> SQL
    ) -> Benchmark {
        Benchmark(
            name: name,
            figures: payloads.flatMap { size, rows in
                [
                    Figure(
                        name:
                            "peak of resident memory, relay, \(rows.formatted()) payloads of \(size.formatted()) bytes",
                        unit: "MB",
                        // A record that is larger than the budget goes alone, and comes on top.
                        targets: [.atMost(256 + (size > 10_000_000 ? Double(size) / 1e6 : 0))]
                    ),
                    Figure(name: "what it publishes of them", unit: "MB/s"),
                ]
            },
            isLong: true,
            run: {
                var figures: [Double] = []
                for (size, rows) in payloads { figures += try await drainPayloads(of: size, rows, source, text) }
                return figures
            }
        )
    }

    private static let payloads = [(size: 300, rows: 100_000), (3_000, 50_000), (30_000, 10_000), (300_000, 2_000)]

    /// The peak memory in megabytes, and the megabytes of payload per second.
    private static func drainPayloads(
        of size: Int,
        _ rows: Int,
        _ source: (some RentalSource).Type,
        _ text: (_ size: Int) -> SQL
    ) async throws -> [Double] {
        try await source.with(rentals: rows) { fixture in
            // The rest of the payload takes 200 bytes.
            try await fixture.run("UPDATE rentals SET name = \(text(max(32, size - 200)))")
            try await fixture.fillOutbox()
            return try await source.withBrokerAddress { servers in
                let start = ContinuousClock.now
                let peaks = try await measureInOwnProcess([
                    "relay-process", "--database", try await fixture.address, "--broker", servers,
                    "--rows", "\(rows)",
                ])
                return [peaks[0], Double(size * rows) / 1e6 / seconds(.now - start)]
            }
        }
    }
}
