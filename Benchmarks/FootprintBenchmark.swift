import Dionysus
import DionysusEmbedded

private let backlog = 1_000_000
private let idleSeconds = 30.0

private func memoryFigures(_ what: String) -> [Benchmark.Figure] {
    [
        .init(name: "peak of resident memory, \(what)", unit: "MB", targets: [.atMost(100)]),
        .init(name: "that peak, by the peak after a tenth of the work", unit: "times", targets: [.atMost(1.1)]),
    ]
}

private let idleFigures = [
    Benchmark.Figure(
        name: "processor time of a relay that has nothing to do",
        unit: "% of a core",
        targets: [.atMost(1)]
    ),
    Benchmark.Figure(name: "what it asks the database for", unit: "transactions/s", targets: [.atMost(6)]),
]

extension Benchmark {
    /// A relay's memory while it publishes a long backlog.
    static let relayMemory = Benchmark(
        name: "memory-relay",
        figures: memoryFigures("relay with \(backlog.formatted()) pending rows"),
        isLong: true,
        run: {
            try await SourceFixture.with(rentals: backlog) { fixture in
                try await fixture.fillOutbox()
                return try await withKafkaServers { servers in
                    flatness(
                        try await measureInOwnProcess([
                            "relay-process", "--database", try await url(of: fixture.database), "--broker", servers,
                            "--rows", "\(backlog)",
                        ])
                    )
                }
            }
        }
    )

    /// A consumer's memory while it catches up.
    static let consumerMemory = Benchmark(
        name: "memory-consumer",
        figures: memoryFigures("consumer \(backlog.formatted()) messages behind"),
        isLong: true,
        run: {
            try await withReplica { replica in
                try await withEmbeddedLog { log in
                    try await log.createTopics([TopicSpecification(name: "v3_rentals", partitions: 1)])
                    try await ReplicatedStream.rentals(backlog).send(.created, version: 1, to: log)
                    return flatness(
                        try await measureInOwnProcess([
                            "consumer-process", "--database", try await url(of: replica), "--log", log.path,
                            "--messages", "\(backlog)",
                        ])
                    )
                }
            }
        }
    )

    /// The cost of an idle relay.
    static let idle = Benchmark(
        name: "idle",
        figures: idleFigures,
        isLong: true,
        run: {
            try await SourceFixture.with(rentals: 1_000) { fixture in
                try await withKafkaServers { servers in
                    try await measureInOwnProcess([
                        "idle-process", "--database", try await url(of: fixture.database), "--broker", servers,
                        "--seconds", "\(idleSeconds)",
                    ])
                }
            }
        }
    )

    /// The cost of an idle relay without servers.
    static let idleSQLite = Benchmark(
        name: "idle-sqlite",
        figures: idleFigures,
        isLong: true,
        run: {
            try await SQLiteFixture.with(rentals: 1_000) { fixture in
                try await withEmbeddedLog { log in
                    try await measureInOwnProcess([
                        "idle-process", "--database", fixture.path, "--broker", log.path, "--seconds", "\(idleSeconds)",
                    ])
                }
            }
        }
    )
}

/// - Parameter peaks: The peaks of the whole work and of its first tenth.
private func flatness(_ peaks: [Double]) -> [Double] { [peaks[0], peaks[0] / peaks[1]] }
