import Dionysus

/// The processes that are at work, and what they handle.
struct ProcessReport: Sendable {
    let processes: [SampledProcess]
    /// What is published or applied per second, by role and topic.
    let topicRates: [String: [String: Double]]
    /// Whether the console's tables are there.
    let isInstalled: Bool
    let readAt: Timestamp

    static func read(_ tables: [ConsoleTables]) async throws -> ProcessReport {
        var processes: [SampledProcess] = []
        var rates: [String: [String: Double]] = [:]
        var isInstalled = !tables.isEmpty
        for table in tables {
            guard let (found, topics) = try await table.processes() else {
                isInstalled = false
                continue
            }
            // Both sides may have one database.
            for process in found where !processes.contains(where: { $0.name == process.name }) {
                processes.append(process)
            }
            let role = Set(found.map(\.role))
            for name in role { rates[name, default: [:]].merge(topics) { $1 } }
        }
        return ProcessReport(
            processes: processes.sorted { $0.name < $1.name },
            topicRates: rates,
            isInstalled: isInstalled,
            readAt: .now
        )
    }

    /// The processes of a role that are alive.
    func alive(_ role: String) -> [SampledProcess] { processes.filter { $0.role == role && $0.isAlive(at: readAt) } }

    /// What a role handles per second.
    func rate(_ role: String) -> Double { alive(role).map(\.rate).reduce(0, +) }

    var json: JSON {
        .object([
            "installed": .bool(isInstalled),
            "processes": .array(
                processes.map { process in
                    .object([
                        "name": .string(process.name), "role": .string(process.role),
                        "version": .string(process.version), "alive": .bool(process.isAlive(at: readAt)),
                        "started_at": .init(process.startedAt), "seen_at": .init(process.seenAt),
                        "per_second": .init(process.rate), "resident_bytes": .integer(process.residentBytes),
                        "processor_share": .init(process.processorShare), "backlog": .init(process.backlog),
                        "age": .init(process.age),
                    ])
                }
            ),
        ])
    }
}
