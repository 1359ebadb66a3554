import struct Foundation.POSIXError
import enum Foundation.POSIXErrorCode
import struct Foundation.URL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes files and directories that only their user can read, whatever the umask lets others do.
///
/// What is there already keeps its permissions: who gave it others meant something by it.
package enum PrivateFiles {
    /// Makes a directory with mode 0700, and those above it that are missing.
    /// - Throws: `POSIXError`.
    package static func createDirectory(_ path: String) throws {
        if path.isEmpty || mkdir(path, 0o700) == 0 || errno == EEXIST || errno == EISDIR { return }
        let parent = URL(filePath: path).deletingLastPathComponent().path
        guard errno == ENOENT, parent != path else { throw failure }
        try createDirectory(parent)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure }
    }

    /// Makes an empty file with mode 0600 if there is none, and its directory.
    ///
    /// A file that is there isn't opened: when one is closed, the process loses the locks that it has on it.
    /// - Throws: `POSIXError`.
    package static func createFile(_ path: String) throws {
        try createDirectory(URL(filePath: path).deletingLastPathComponent().path)
        var file = stat()
        if stat(path, &file) == 0 { return }
        guard errno == ENOENT else { throw failure }
        // A link to a file that is not there yet is the one thing that may stand in the way.
        let isLink = lstat(path, &file) == 0
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (isLink ? 0 : O_EXCL), 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { return }
            throw failure
        }
        close(descriptor)
    }

    private static var failure: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
