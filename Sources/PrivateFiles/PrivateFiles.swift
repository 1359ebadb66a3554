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

/// Creates files and directories that only their user can access, whatever the umask.
///
/// Existing files keep their permissions, because someone chose them on purpose.
package enum PrivateFiles {
    /// Creates a directory with mode 0700, and its missing parents.
    /// - Throws: `POSIXError`.
    package static func createDirectory(_ path: String) throws {
        if path.isEmpty || mkdir(path, 0o700) == 0 || errno == EEXIST || errno == EISDIR { return }
        let parent = URL(filePath: path).deletingLastPathComponent().path
        guard errno == ENOENT, parent != path else { throw failure }
        try createDirectory(parent)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure }
    }

    /// Creates an empty file with mode 0600 if it is missing, and its directory.
    ///
    /// An existing file isn't opened, because closing it would release the process's locks on it.
    /// - Throws: `POSIXError`.
    package static func createFile(_ path: String) throws {
        try createDirectory(URL(filePath: path).deletingLastPathComponent().path)
        var file = stat()
        if stat(path, &file) == 0 { return }
        guard errno == ENOENT else { throw failure }
        // Only a link to a missing file can still be in the way.
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
