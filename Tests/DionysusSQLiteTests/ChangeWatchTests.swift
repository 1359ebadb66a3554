import Dionysus
import DionysusSQLite
import Foundation
import GRDB
import TestSupport
import Testing

struct ChangeWatchTests {
    @Test(.timeLimit(.minutes(10)))
    func `Each change by another program is noticed, however long nothing was written before`() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/test.sqlite"
            let database = try SQLiteDatabase(path: path)
            try await database.transaction(.write) { _ = try $0.run("CREATE TABLE changes (id INTEGER PRIMARY KEY)") }
            let other = try DatabaseQueue(path: path)
            let (changes, continuation) = AsyncStream.makeStream(of: Void.self)
            var noticed = changes.makeAsyncIterator()
            let signal = database.changeSignal { continuation.yield() }
            #expect(try await signal.arm())
            for _ in 0..<20 {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -3_600)],
                    ofItemAtPath: path + "-wal"
                )
                try await other.write { try $0.execute(sql: "INSERT INTO changes DEFAULT VALUES") }
                await noticed.next()
            }
            await signal.disarm()
            await signal.close()
            await database.close()
        }
    }
}
