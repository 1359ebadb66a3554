import Dionysus
import DionysusEvents
import DionysusPostgres
import DionysusSQLite
import Foundation
import Synchronization
import TestSupport

/// Works on streams in a separate process, which may be killed, or kills itself at an exact point.
///
///     StreamTool append DATABASE STREAMS     appends to random streams until it is killed
///     StreamTool rebuild DATABASE BATCH      rebuilds the balances
///     StreamTool process DATABASE            runs the welcome process until it is done
///     StreamTool timers DATABASE             fires the timers of the welcome process
///
/// `STREAM_KILL_AT=N`: it kills itself before its n-th statement.
@main
struct StreamTool {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2 else { throw usage }
        let database = try open(arguments[1])
        switch arguments[0] {
        case "append": try await append(database, streams: Int(arguments.last ?? "") ?? 1)
        case "rebuild":
            let size = Int(arguments.last ?? "") ?? 1
            _ = try await ProjectionRebuild(of: Projector(Balances(), store), on: database, batchSize: size).run()
        case "process":
            let runner = ProcessRunner(Welcome(), store)
            try await EventReader("welcome", store, database, handler: runner.handler).catchUp()
        case "timers": try await ProcessTimers(ProcessRunner(Welcome(), store), database).fire(at: Welcome.due)
        default: throw usage
        }
    }

    private static var usage: DionysusError {
        DionysusError(
            .configuration,
            "usage: append DATABASE STREAMS | rebuild DATABASE BATCH | process|timers DATABASE"
        )
    }

    private static func open(_ location: String) throws -> any CapturingDatabase {
        let database: any CapturingDatabase =
            location.hasPrefix("postgres") ? try PostgresDatabase(url: location) : try SQLiteDatabase(path: location)
        guard let point = ProcessInfo.processInfo.environment["STREAM_KILL_AT"].flatMap({ Int($0) }) else {
            return database
        }
        let countdown = KillCountdown(point)
        return WatchedDatabase(database) { _ in countdown.tick() }
    }

    private static func append(_ database: any CapturingDatabase, streams: Int) async throws {
        while true {
            let stream = StreamName("account", "\(Int.random(in: 0..<streams))")
            let events = (0..<Int.random(in: 1...3)).map { _ in NewEvent(Deposited(amount: 1)) }
            do {
                _ = try await database.transaction(.write) { transaction in
                    let position = try store.position(of: stream, in: &transaction) ?? 0
                    return try store.append(events, to: stream, expecting: .position(position), in: &transaction)
                }
            } catch is StreamConflict {
                continue
            }
        }
    }
}

/// Kills the process at its n-th statement.
private final class KillCountdown: Sendable {
    private let remaining: Mutex<Int>

    init(_ count: Int) { remaining = Mutex(count) }

    func tick() {
        let isOver = remaining.withLock { remaining in
            remaining -= 1
            return remaining == 0
        }
        if isOver { kill(getpid(), SIGKILL) }
    }
}
