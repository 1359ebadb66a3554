import Dionysus
import DionysusEmbedded
import DionysusSQLite
import Foundation
import TestSupport
import Testing

/// The permissions of the library's files.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct FilePermissionTests {
    @Test(
        "only the user can access the commands' files, whatever the umask",
        arguments: ["0", "022", "077"]
    )
    func umask(_ mask: String) async throws {
        try await withTemporaryDirectory { directory in
            let environment = [
                "SOURCE_DATABASE_URL": "sqlite:\(directory)/a/b/source.sqlite",
                "REPLICA_DATABASE_URL": "sqlite:\(directory)/c/replica.sqlite",
                "DIONYSUS_SEED_BROKER": "embedded:\(directory)/d/log.sqlite",
                "DIONYSUS_HEARTBEAT_DIRECTORY": "\(directory)/e/f",
            ]
            let program = Installation.executable(named: "rentals").path
            func start(_ command: String) throws -> RunningProcess {
                try RunningProcess(
                    "sh",
                    ["-c", "umask \(mask); exec \(program) \(command)"],
                    environment: environment
                )
            }
            for command in ["migrate", "seed --accounts 2 --rentals 2 --bookings 2 --fees 2"] {
                let result = try await start(command).result()
                #expect(result.status == 0, "\(result.errors)")
            }
            let services = try ["relay", "consume"].map(start)
            while true {
                let healths = try ["health relay", "health consumer"].map(start)
                var statuses: [Int32] = []
                for health in healths { statuses.append(await health.result().status) }
                if statuses == [0, 0] { break }
                guard services.allSatisfy(\.isRunning) else { break }
            }
            // Checked while they run, because SQLite removes its additional files when the last process exits.
            var names: Set<String> = []
            for path in try FileManager.default.subpathsOfDirectory(atPath: directory) {
                let (name, isDirectory) = (
                    path.split(separator: "/").last.map(String.init) ?? "", isDirectory(path, directory)
                )
                #expect(try mode(of: "\(directory)/\(path)") == (isDirectory ? 0o700 : 0o600), "\(path)")
                names.insert(name)
            }
            for database in ["source", "replica", "log"] {
                for suffix in ["", "-wal", "-shm"] { #expect(names.contains("\(database).sqlite\(suffix)")) }
            }
            #expect(names.contains("source.sqlite-lanes"))
            for service in services { #expect(await service.terminate().status == 0) }
        }
    }

    @Test("existing files keep their permissions, and SQLite's additional files have the same")
    func existing() async throws {
        try await withTemporaryDirectory { directory in
            let folder = "\(directory)/shared"
            mkdir(folder, 0o750)
            chmod(folder, 0o750)
            for name in ["source.sqlite", "log.sqlite"] {
                #expect(FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil))
                chmod("\(folder)/\(name)", 0o640)
            }
            let database = try SQLiteDatabase(path: "\(folder)/source.sqlite")
            let broker = try EmbeddedBroker(path: "\(folder)/log.sqlite")
            _ = try await database.transaction(.write) { try $0.run("CREATE TABLE things (id integer)") }
            #expect(try mode(of: folder) == 0o750)
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                #expect(try mode(of: "\(folder)/\(name)") == 0o640, "\(name)")
            }
            await broker.close()
            await database.close()
        }
    }

    @Test("a link to a missing file creates that file with private permissions")
    func link() async throws {
        try await withTemporaryDirectory { directory in
            symlink("\(directory)/target.sqlite", "\(directory)/link.sqlite")
            let database = try SQLiteDatabase(path: "\(directory)/link.sqlite")
            _ = try await database.transaction(.write) { try $0.run("CREATE TABLE things (id integer)") }
            #expect(try mode(of: "\(directory)/target.sqlite") == 0o600)
            await database.close()
        }
    }

    private func isDirectory(_ path: String, _ directory: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: "\(directory)/\(path)", isDirectory: &isDirectory)
            && isDirectory.boolValue
    }
}
