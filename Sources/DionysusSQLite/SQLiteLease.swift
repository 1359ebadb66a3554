import Dionysus
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Locks on files in one directory, a file a lock.
///
/// They live and die with the process that holds them.
struct LaneLocks: Sendable {
    let directory: String

    /// Takes a lock.
    /// - Returns: The lock, or nil if another process or another part of this one has it.
    func lock(_ name: String) throws -> LaneLock? {
        guard name.utf8.allSatisfy(Self.isAllowed) else {
            throw DionysusError(.declaration, "the name of a lock has letters, digits, dashes and underscores only")
        }
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw failure() }
        let descriptor = open("\(directory)/\(name)", O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure() }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isHeld = errno == EWOULDBLOCK
            close(descriptor)
            if isHeld { return nil }
            throw failure()
        }
        return LaneLock(descriptor: descriptor)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private func failure() -> DionysusError {
        DionysusError(
            .databaseUnavailable,
            "a lock in \(directory) can't be taken: \(String(cString: strerror(errno)))",
            advice: "check that the directory can be written to",
            isRetriable: true
        )
    }
}

/// A lock on a file.
///
/// Closing the file gives it back.
final class LaneLock: Sendable {
    private let descriptor: Mutex<Int32?>

    init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    var isHeld: Bool { descriptor.withLock { $0 != nil } }

    func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    deinit { release() }
}

/// A lock on a file, under which every call is a transaction of its own.
final class SQLiteLease: Lease {
    private let database: SQLiteDatabase
    private let lock: LaneLock
    private let hasFailed = Atomic(false)

    init(database: SQLiteDatabase, lock: LaneLock) {
        self.database = database
        self.lock = lock
    }

    func perform<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        guard lock.isHeld else { throw DionysusError(.closed, "the lease has ended") }
        guard !hasFailed.load(ordering: .acquiring) else {
            throw DionysusError(.closed, "the lease failed before", advice: "abandon it and take it again")
        }
        do {
            return try await database.transaction(.write, body)
        } catch {
            hasFailed.store(true, ordering: .releasing)
            throw error
        }
    }

    func release<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        let result = try await perform(body)
        lock.release()
        return result
    }

    func renew(ending last: [SQL], running next: [SQL]) async throws -> (last: [ResultSet], next: [ResultSet]?) {
        try await perform { (try $0.run(last), try $0.run(next)) }
    }

    func abandon() async { lock.release() }
}
