import Dionysus
import DionysusSQLite
import Foundation
import GRDB
import TestSupport
import Testing

struct SQLiteFileTests {
    @Test func `Commits survive a power failure unless that is not wanted`() async throws {
        try await withTemporaryDirectory { directory in
            for (isDurable, expected) in [(true, 2), (false, 1)] {
                var options = SQLiteOptions()
                options.isDurable = isDurable
                let database = try SQLiteDatabase(path: "\(directory)/\(isDurable).sqlite", options: options)
                let settings = try await database.transaction(.write) { transaction in
                    try [
                        "synchronous", "foreign_keys", "journal_mode",
                    ]
                    .map { try transaction.run("PRAGMA \(raw: $0)").first?.text(0) }
                }
                #expect(settings == ["\(expected)", "1", "wal"])
                await database.close()
            }
        }
    }

    @Test func `A file that is no database is refused`() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/notes.txt"
            try Data(String(repeating: "these are notes, and no database\n", count: 100).utf8)
                .write(to: URL(filePath: path))
            let error = #expect(throws: DionysusError.self) { try SQLiteDatabase(path: path) }
            #expect(error?.code == .databaseUnavailable)
            #expect(error?.isRetriable == false)
            #expect(error?.advice != nil)
        }
    }

    @Test func `A directory that can't be made is an error that names it`() async throws {
        try await withTemporaryDirectory { directory in
            try Data().write(to: URL(filePath: "\(directory)/file"))
            let error = #expect(throws: DionysusError.self) {
                try SQLiteDatabase(path: "\(directory)/file/below/test.sqlite")
            }
            #expect(error?.code == .databaseUnavailable)
        }
    }

    @Test func `Another program that writes for too long asks for the transaction to be run again`() async throws {
        try await withTemporaryDirectory { directory in
            var options = SQLiteOptions()
            options.busyTimeout = .milliseconds(10)
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite", options: options)
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let other = try DatabaseQueue(path: "\(directory)/test.sqlite", configuration: configuration)
            try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
            let error = await #expect(throws: DionysusError.self) {
                try await database.transaction(.write) { try $0.run("SELECT 1") }
            }
            #expect(error?.code == .transactionConflict)
            #expect(error?.isRetriable == true)
            #expect(try await database.transaction(.snapshot) { try $0.run("SELECT 1").count } == 1)
            try other.inDatabase { try $0.execute(sql: "ROLLBACK") }
            _ = try await database.transaction(.write) { try $0.run("SELECT 1") }
            await database.close()
        }
    }
}
