package import struct Foundation.Data
package import class Foundation.FileHandle
package import struct Foundation.POSIXError
package import enum Foundation.POSIXErrorCode
package import struct Foundation.URL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension PrivateFiles {
    /// Writes a file so that there is either what was there before or all of the new content, even after a power failure.
    ///
    /// It is written aside, stored on the disk, and renamed.
    /// - Throws: `POSIXError`, or what Foundation throws for a file that can't be written.
    package static func replaceFile(_ path: String, with content: Data) throws {
        let aside = path + ".new"
        try createFile(aside)
        let file = try FileHandle(forWritingTo: URL(filePath: aside))
        do {
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: content)
            try file.synchronize()
        } catch {
            try? file.close()
            throw error
        }
        try file.close()
        try move(aside, to: path)
    }

    /// Renames a file in the place of what was there before.
    /// - Throws: `POSIXError`.
    package static func move(_ path: String, to other: String) throws {
        guard rename(path, other) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
}
