import Dionysus
import DionysusSQLite
import Foundation
import TestSupport

extension Fault {
    static let sqliteFaults = [
        Fault(
            name: "locked-file",
            summary: "another program holds a file's write lock for seconds",
            systems: [.embedded]
        ) {
            system,
            random in
            for file in files(of: system).shuffled(using: &random) {
                try await hold(file, for: .random(in: 2...6, using: &random))
            }
        },
        Fault(
            name: "busy-timeout",
            summary: "another program holds a file's write lock for longer than the busy timeout",
            systems: [.embedded],
            patience: sessionTimeout
        ) {
            system,
            random in
            guard let file = files(of: system).randomElement(using: &random) else { return }
            let seconds = Int.random(in: 12...15, using: &random)
            async let holding: Void = hold(file, for: seconds)
            try await restartSome(system, &random)
            try await holding
        },
        Fault(
            name: "commit-kill",
            summary: "all processes that write to a file are killed while one of them commits",
            systems: [.embedded],
            patience: sessionTimeout
        ) {
            system,
            random in
            let writers: [[Role]] = [[.relay, .writer], [.consumer], [.relay, .consumer, .counter]]
            for (file, roles) in Array(zip(files(of: system), writers)).shuffled(using: &random) {
                try await untilWritten(file + "-wal")
                for role in roles {
                    for process in await system.all(role) { process.signal(SIGKILL) }
                }
                for role in roles {
                    for process in await system.all(role) { try await system.replace(process, role) }
                }
                try await pause(500...1500, &random)
            }
        },
        Fault(
            name: "full-files",
            summary: "no space is left for databases or the log",
            systems: [.embedded],
            patience: sessionTimeout,
            needsSmallDisks: true
        ) {
            system,
            random in
            guard !system.disks.isEmpty else {
                return print("  full-files is skipped: a small file system can't be mounted here")
            }
            for _ in 1...3 {
                let full = Array(system.disks.shuffled(using: &random).prefix(.random(in: 1...2, using: &random)))
                let length = Duration.seconds(.random(in: 2...5, using: &random))
                async let filling: Void = SmallDisk.keepFull(full, for: length)
                try await restartSome(system, &random)
                try await filling
                try await pause(500...2000, &random)
            }
        },
    ]

    /// Source, replica and log.
    private static func files(of system: System) -> [String] {
        [system.places.directSource, system.places.directReplica, system.places.directBroker]
            .map { String($0.drop { $0 != ":" }.dropFirst()) }
    }

    /// Kills some processes, and starts replacements under the same conditions.
    private static func restartSome(_ system: System, _ random: inout SeededGenerator) async throws {
        try await pause(500...1000, &random)
        for role in [Role.relay, .consumer] {
            if let process = await system.any(role, &random) { try await system.replace(process, role) }
        }
    }

    /// Holds the file's lock in a separate process.
    private static func hold(_ file: String, for seconds: Int) async throws {
        let script = "BEGIN IMMEDIATE;\n.shell sleep \(seconds)\nCOMMIT;\n"
        let program = try RunningProcess("sqlite3", ["-cmd", ".timeout 30000", file], environment: [:], input: script)
        _ = await program.result()
    }

    /// Waits until something is written to a file, usually by a running commit.
    private static func untilWritten(_ file: String) async throws {
        func time() -> timespec {
            var status = stat()
            stat(file, &status)
            return status.st_mtim
        }
        let before = time()
        let end = ContinuousClock.now + .seconds(5)
        while .now < end {
            let now = time()
            if now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec { return }
            await Task.yield()
        }
    }
}
