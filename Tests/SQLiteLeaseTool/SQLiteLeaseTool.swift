import Dionysus
import DionysusSQLite
import Foundation

/// A process that holds a lease until it is killed or its standard input is closed.
///
///     SQLiteLeaseTool PATH NAME      prints "held" or "busy"
@main
struct SQLiteLeaseTool {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { throw DionysusError(.configuration, "usage: SQLiteLeaseTool PATH NAME") }
        let database = try SQLiteDatabase(path: arguments[1])
        let resource = LeasedResource(name: arguments[2], lockingQuery: "SELECT 1")
        let lease = try await database.lease(resource, idleTimeout: .seconds(60))
        try FileHandle.standardOutput.write(contentsOf: Data((lease == nil ? "busy" : "held").utf8))
        _ = readLine()
        await lease?.abandon()
    }
}
