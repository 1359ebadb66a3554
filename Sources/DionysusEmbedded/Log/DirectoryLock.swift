import Dionysus
import Foundation

/// A lock among processes on the directory of a file.
///
/// Two processes that switch one new file to a write-ahead log at once refuse each other without waiting, so a log is
/// opened under this lock. It leaves no file behind, and the kernel frees it when a process dies.
enum DirectoryLock {
    static func withLock<T>(onDirectoryOf path: String, _ body: () throws -> T) throws -> T {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = open(directory, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(directory) }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw failure(directory) }
        }
        return try body()
    }

    private static func failure(_ directory: String) -> DionysusError {
        DionysusError(
            .brokerUnavailable,
            "the directory \(directory) of the embedded log can't be locked: \(String(cString: strerror(errno)))",
            advice: "check the permissions of the directory"
        )
    }
}
