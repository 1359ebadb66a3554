import Dionysus
import Foundation
import GRDB
import PrivateFiles

// Both modules have a type of this name.
typealias Connection = GRDB.Database

/// The SQLite file of a log, which any number of processes have open.
final class LogFile: Sendable {
    let path: String
    private let options: EmbeddedLogOptions
    private let pool: DatabasePool

    /// Opens the file, and creates it with its directory where they are missing.
    init(path: String, options: EmbeddedLogOptions) throws {
        self.path = path
        self.options = options
        pool = try Self.mappingErrors(path) {
            try Self.create(path) {
                try PrivateFiles.createDirectory(URL(fileURLWithPath: path).deletingLastPathComponent().path)
            }
            return try DirectoryLock.withLock(onDirectoryOf: path) {
                // SQLite gives the files that it writes beside this one the same permissions.
                try Self.create(path) { try PrivateFiles.createFile(path) }
                return try Self.openPool(path: path, options: options)
            }
        }
    }

    /// Another connection to the same file.
    func makeConnection() throws -> DatabaseQueue {
        try Self.mappingErrors(path) {
            try DatabaseQueue(path: path, configuration: Self.makeConfiguration(options))
        }
    }

    /// Runs a transaction that writes.
    ///
    /// It runs to its end even if the task is cancelled, so that the caller always learns its result.
    func write<T: Sendable>(_ body: @escaping @Sendable (Connection) throws -> T) async throws -> T {
        let task = Task { [pool] in try await pool.write(body) }
        do {
            return try await task.value
        } catch {
            throw Self.mapped(error, path: path)
        }
    }

    /// Runs a transaction that reads one snapshot.
    func read<T: Sendable>(_ body: @escaping @Sendable (Connection) throws -> T) async throws -> T {
        do {
            return try await pool.read(body)
        } catch {
            throw Self.mapped(error, path: path)
        }
    }

    func close() {
        // What can fail here is the end of a statement that is still running, which then ends with the pool.
        try? pool.close()
    }

    private static func create(_ path: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            throw DionysusError(
                .brokerUnavailable,
                "the embedded log \(path) or its directory can't be created",
                advice: "check the path and the permissions of its parent directory",
                underlying: error
            )
        }
    }

    private static func makeConfiguration(_ options: EmbeddedLogOptions) -> Configuration {
        var configuration = Configuration()
        configuration.label = "dionysus.embedded"
        let step: Duration = .milliseconds(1)
        let attempts = max(1, Int(options.busyTimeout / step))
        // SQLite's own handler sleeps up to 100 ms at a time, which starves a process beside a busy appender.
        configuration.busyMode = .callback { count in
            usleep(UInt32(step.microseconds))
            return count < attempts
        }
        return configuration
    }

    private static func openPool(path: String, options: EmbeddedLogOptions) throws -> DatabasePool {
        let configuration = makeConfiguration(options)
        // A pool changes the file's journal mode at once, so another application's file must not get that far.
        let inspection = try DatabaseQueue(path: path, configuration: configuration)
        let isPrepared = try inspection.read { connection in
            try LogSchema.check(connection, path: path) && LogSchema.isComplete(connection)
        }
        try inspection.close()
        let pool = try DatabasePool(path: path, configuration: configuration)
        try pool.writeWithoutTransaction { connection in
            // The pool has chosen NORMAL by itself by now, so this can't be done while the connection is prepared.
            let (name, value) = options.durability == .power ? ("FULL", 2) : ("NORMAL", 1)
            try connection.execute(sql: "PRAGMA synchronous = \(name)")
            guard try Int.fetchOne(connection, sql: "PRAGMA synchronous") == value else {
                throw DionysusError(
                    .brokerUnavailable,
                    "SQLite does not accept synchronous = \(name) for the embedded log \(path)"
                )
            }
            try connection.execute(sql: "PRAGMA journal_size_limit = 67108864")
            try connection.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
        }
        // Another process may keep an existing log locked for longer than a caller waits.
        if !isPrepared { try pool.write { try LogSchema.prepare($0, path: path) } }
        return pool
    }

    private static func mappingErrors<T>(_ path: String, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch {
            throw mapped(error, path: path)
        }
    }
}
