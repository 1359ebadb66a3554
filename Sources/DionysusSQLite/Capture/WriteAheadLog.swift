import Dionysus

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file that SQLite appends committed transactions to, as the file system knows it.
struct WriteAheadLog: Equatable {
    /// How long a file may be changed again without a new time: some file systems count in steps of two seconds.
    private static let longestStep = 3.0

    private let size: Int64
    private let modified: Int64
    private let modifiedNanoseconds: Int64

    /// - Parameter path: The database.
    /// - Returns: Nil if there is no such file.
    init?(ofDatabaseAt path: String) {
        var file = stat()
        guard stat(path + "-wal", &file) == 0 else { return nil }
        size = Int64(file.st_size)
        #if canImport(Darwin)
        let time = file.st_mtimespec
        #else
        let time = file.st_mtim
        #endif
        modified = Int64(time.tv_sec)
        modifiedNanoseconds = Int64(time.tv_nsec)
    }

    /// Whether every later change of the file changes what is known of it.
    var isSettled: Bool {
        Timestamp(microseconds: modified * 1_000_000 + modifiedNanoseconds / 1_000) + Self.longestStep < .now
    }
}
