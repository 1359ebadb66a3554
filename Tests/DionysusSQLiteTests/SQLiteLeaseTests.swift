import Dionysus
import DionysusSQLite
import Foundation
import TestSupport
import Testing

struct SQLiteLeaseTests {
    private let resource = LeasedResource(name: "lane-1", lockingQuery: "SELECT 1")

    @Test func `A lease of another process is respected, and ends when that process is killed`() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/test.sqlite"
            let database = try SQLiteDatabase(path: path)
            let process = try LeaseProcess(path: path, name: resource.name)
            #expect(process.answer == "held")
            #expect(try await database.lease(resource, idleTimeout: .seconds(60)) == nil)
            process.killAndWait()
            let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(60)))
            let late = try LeaseProcess(path: path, name: resource.name)
            #expect(late.answer == "busy")
            late.killAndWait()
            await lease.abandon()
            await database.close()
        }
    }

    @Test func `A lease that nobody keeps is given back`() async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            #expect(try await database.lease(resource, idleTimeout: .seconds(60)) != nil)
            let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(60)))
            await lease.abandon()
            await database.close()
        }
    }

    @Test func `No transaction is open while a lease is held`() async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let other = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let lease = try #require(try await database.lease(resource, idleTimeout: .seconds(60)))
            _ = try await lease.perform { try $0.run("CREATE TABLE rentals (id BIGINT)") }
            _ = try await other.transaction(.write) { try $0.run("INSERT INTO rentals VALUES (1)") }
            let count = try await lease.release { try $0.run("SELECT count(*) FROM rentals").first?.integer(0) }
            #expect(count == 1)
            await other.close()
            await database.close()
        }
    }
}

/// A process of `SQLiteLeaseTool`.
private struct LeaseProcess {
    let answer: String
    private let process = Process()
    private let input = Pipe()

    init(path: String, name: String) throws {
        let output = Pipe()
        let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let directory = tests?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
        process.executableURL = directory.appending(path: "SQLiteLeaseTool")
        process.arguments = [path, name]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        answer = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    }

    func killAndWait() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
