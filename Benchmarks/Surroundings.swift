import Dionysus
import DionysusKafka
import DionysusPostgres
import DionysusSQLite
import Foundation

/// The machine.
struct Machine: CustomStringConvertible {
    let cores: Int
    let memory: UInt64
    let processor: String
    let system: String

    static var this: Machine {
        let information = ProcessInfo.processInfo
        return Machine(
            cores: information.activeProcessorCount,
            memory: information.physicalMemory,
            processor: processorName ?? "unknown processor",
            system: information.operatingSystemVersionString
        )
    }

    var description: String { "\(cores) cores of \(processor), \(memory / 1_073_741_824) GiB, \(system)" }

    var json: JSON {
        .object([
            "cores": .number("\(cores)"), "memory_bytes": .number("\(memory)"), "processor": .string(processor),
            "system": .string(system),
        ])
    }

    private static var processorName: String? {
        #if os(Linux)
        let information = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        let line = information?.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
        #else
        return firstLine(of: ["sysctl", "-n", "machdep.cpu.brand_string"])
        #endif
    }
}

/// The software versions.
struct Versions: CustomStringConvertible {
    let swift: String
    let postgres: String
    let librdkafka: String
    let sqlite: String

    /// The versions of the loaded libraries, of the server, and of the first compiler in the path.
    static func inUse() async throws -> Versions {
        let postgres = try await withServer { server in
            try await server.transaction(.snapshot) { try $0.run("SHOW server_version").first?.text(0) }
        }
        let sqlite = try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: directory + "/version.sqlite")
            let version = try await database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT sqlite_version()").first?.text(0)
            }
            await database.close()
            return version
        }
        return Versions(
            swift: firstLine(of: ["swift", "--version"])?.firstMatch(of: /version ([0-9.]+)/)
                .map { String($0.1) } ?? "?",
            postgres: postgres?.split(separator: " ").first.map(String.init) ?? "?",
            librdkafka: KafkaBroker.libraryVersion,
            sqlite: sqlite ?? "?"
        )
    }

    var description: String { "Swift \(swift), PostgreSQL \(postgres), librdkafka \(librdkafka), SQLite \(sqlite)" }

    var json: JSON {
        .object([
            "swift": .string(swift), "postgresql": .string(postgres), "librdkafka": .string(librdkafka),
            "sqlite": .string(sqlite),
        ])
    }
}

/// The first line of a command's output; nil if it can't be run.
private func firstLine(of command: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text.split(separator: "\n").first.map(String.init)
}
