import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Reads and writes the files of a directory that has been looked at, without following a link.
enum HeartbeatStorage {
    /// A heartbeat is far smaller; what is larger is none.
    private static let largest = 65_536
    private static let written = Atomic(0)

    /// Replaces a file as a whole, so that no reader sees half of it.
    static func write(_ bytes: [UInt8], to name: String, in directory: HeartbeatDirectory) throws {
        let folder = try directory.open()
        defer { close(folder) }
        let number = written.wrappingAdd(1, ordering: .relaxed).newValue
        let aside = ".\(name).\(getpid()).\(number)"
        // Left by a process of this number that was killed.
        unlinkat(folder, aside, 0)
        let file = openat(folder, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure }
        let isWritten = Foundation.write(file, bytes, bytes.count) == bytes.count
        let error = failure
        close(file)
        guard isWritten else {
            unlinkat(folder, aside, 0)
            throw error
        }
        guard renameat(folder, aside, folder, name) == 0 else {
            let error = failure
            unlinkat(folder, aside, 0)
            throw error
        }
    }

    /// Reads a file; nil if there is none of the user's own.
    static func read(_ name: String, in directory: HeartbeatDirectory) -> [UInt8]? {
        guard let folder = try? directory.open() else { return nil }
        defer { close(folder) }
        // A pipe would wait for a writer.
        let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: largest)
        let count = Foundation.read(file, &bytes, bytes.count)
        return count >= 0 ? Array(bytes.prefix(count)) : nil
    }

    private static var failure: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
