import Foundation
import PrivateFiles

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A directory of heartbeats that no other user can write to.
///
/// The usual place is a name that everybody on the machine can guess, in a directory that everybody can write to. So
/// it counts only if it is a directory, not a link to one, and the user's own. If another user has made it first, one
/// with an unpredictable name takes its place; readers find it by its prefix and its owner.
struct HeartbeatDirectory: Sendable {
    /// Why a directory can't be used.
    struct Refusal: Error {
        let reason: String
        /// Whether another user is the cause.
        var isForeign = false
    }

    let path: String

    /// The directory that was chosen, or the default ones.
    static func existing(chosen: String?) -> [HeartbeatDirectory] {
        guard let chosen else { return existingDefaults }
        do {
            return [HeartbeatDirectory(path: try own(in: chosen, creating: false))]
        } catch let refusal as Refusal where refusal.isForeign {
            return existingDefaults
        } catch {
            return []
        }
    }

    /// The directory to write to, made if it is missing.
    /// - Parameters:
    ///   - chosen: The one that was asked for, if one was.
    ///   - warn: Called if another than the usual one has to be taken.
    static func prepared(chosen: String?, warn: (String) -> Void) throws -> HeartbeatDirectory {
        guard let chosen else { return try preparedDefault(warn: warn) }
        do {
            return HeartbeatDirectory(path: try own(in: chosen, creating: true))
        } catch let refusal as Refusal where refusal.isForeign {
            let directory = try preparedDefault { _ in }
            warn("\(refusal.reason): heartbeats are written to \(directory.path) instead")
            return directory
        }
    }

    /// Opens it, after a look at whose it is.
    /// - Returns: Its descriptor, which the caller closes.
    func open() throws -> Int32 { try Self.open(path) }

    // MARK: A chosen directory

    /// The directory itself if no other user can write to it, else one of the user's own within it.
    private static func own(in chosen: String, creating: Bool) throws -> String {
        if creating { try makeDirectory(chosen) }
        var link = stat()
        guard lstat(chosen, &link) == 0 else { throw Refusal(reason: "\(chosen): \(lastError)") }
        // A link counts if it is the user's own or the administrator's, such as systemd makes one.
        var path = chosen
        if link.st_mode & S_IFMT == S_IFLNK {
            guard [0, geteuid()].contains(link.st_uid) else {
                throw Refusal(reason: "\(chosen) is another user's link", isForeign: true)
            }
            path = URL(filePath: chosen).resolvingSymlinksInPath().path
        }
        var file = stat()
        guard lstat(path, &file) == 0 else { throw Refusal(reason: "\(path): \(lastError)") }
        guard file.st_mode & S_IFMT == S_IFDIR else { throw Refusal(reason: "\(path) is no directory") }
        if file.st_uid == geteuid(), file.st_mode & 0o022 == 0 { return path }
        let inner = "\(path)/dionysus-\(geteuid())"
        do {
            if creating { try makeDirectory(inner) }
            close(try open(inner))
        } catch {
            throw Refusal(reason: "\(path) is another user's directory", isForeign: file.st_uid != geteuid())
        }
        return inner
    }

    // MARK: The default directories

    private static var temporary: String {
        let path = NSTemporaryDirectory()
        return path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// The user's own directory for what lives as long as the user is logged in, if the system has such a thing.
    private static var runtime: String? {
        let variable = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"]
        let path = variable ?? "/run/user/\(geteuid())"
        guard path.hasPrefix("/"), let descriptor = try? open(path) else { return nil }
        close(descriptor)
        return "\(path)/dionysus"
    }

    private static var usual: String { "\(temporary)/dionysus-\(geteuid())" }

    /// Directories with unpredictable names, made because another user had the usual one.
    private static var substitutes: [String] {
        let beginning = "dionysus-\(geteuid())."
        let names = (try? FileManager.default.contentsOfDirectory(atPath: temporary)) ?? []
        return names.filter { $0.hasPrefix(beginning) }.sorted().map { "\(temporary)/\($0)" }
    }

    private static var existingDefaults: [HeartbeatDirectory] {
        ((runtime.map { [$0] } ?? []) + [usual] + substitutes).filter(isOwn).map(HeartbeatDirectory.init)
    }

    private static func preparedDefault(warn: (String) -> Void) throws -> HeartbeatDirectory {
        if let runtime, (try? makeDirectory(runtime)) != nil, isOwn(runtime) {
            return HeartbeatDirectory(path: runtime)
        }
        try makeDirectory(usual)
        let refusal: Refusal
        do {
            close(try open(usual))
            return HeartbeatDirectory(path: usual)
        } catch let error as Refusal {
            refusal = error
        }
        let path = try substitutes.first(where: isOwn) ?? makeSubstitute()
        warn("\(refusal.reason): heartbeats are written to \(path) instead")
        return HeartbeatDirectory(path: path)
    }

    private static func makeSubstitute() throws -> String {
        var template = Array("\(usual).XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Refusal(reason: "\(temporary): \(lastError)") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: Looking

    private static func isOwn(_ path: String) -> Bool {
        guard let descriptor = try? open(path) else { return false }
        close(descriptor)
        return true
    }

    private static func open(_ path: String) throws -> Int32 {
        #if canImport(Glibc)
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        #elseif canImport(Musl)
        let descriptor = Musl.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        #else
        let descriptor = Darwin.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        #endif
        // A link, a file, or a directory of another user's that may not be read.
        guard descriptor >= 0 else {
            throw Refusal(reason: "\(path) is no directory of this user's (\(lastError))")
        }
        var file = stat()
        guard fstat(descriptor, &file) == 0, file.st_uid == geteuid() else {
            close(descriptor)
            throw Refusal(reason: "\(path) is another user's directory", isForeign: true)
        }
        guard file.st_mode & 0o022 == 0 else {
            close(descriptor)
            throw Refusal(reason: "\(path) is a directory that others can write to")
        }
        return descriptor
    }

    private static func makeDirectory(_ path: String) throws {
        do {
            try PrivateFiles.createDirectory(path)
        } catch let error as POSIXError {
            throw Refusal(reason: "\(path): \(String(cString: strerror(error.code.rawValue)))")
        }
    }

    private static var lastError: String { String(cString: strerror(errno)) }
}
