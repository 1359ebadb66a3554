import Dionysus

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What libpq leaves to its caller: waiting on its socket.
enum Socket {
    /// Whether there is something to read now, if only the end.
    static func isReadable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Waits until something can be written or read.
    /// - Returns: Whether something can be read, or nil if the socket has failed.
    static func waitUntilReady(_ descriptor: Int32) -> Bool? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
        guard poll(&entry, 1, -1) >= 0 || errno == EINTR else { return nil }
        return entry.revents & Int16(POLLIN) != 0
    }
}

/// Wakes a thread that waits for a socket.
final class WakePipe: Sendable {
    private let descriptors: (read: Int32, write: Int32)

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw DionysusError(.databaseUnavailable, "no pipe could be made (errno \(errno))", isRetriable: true)
        }
        descriptors = (ends[0], ends[1])
    }

    deinit {
        close(descriptors.read)
        close(descriptors.write)
    }

    /// Wakes the thread, or keeps it from waiting.
    func wake() {
        var byte: UInt8 = 0
        _ = write(descriptors.write, &byte, 1)
    }

    /// Waits for one call of ``wake()`` or for something to read from the socket.
    func wait(forSocket socket: Int32?) {
        var entries = [pollfd(fd: descriptors.read, events: Int16(POLLIN), revents: 0)]
        if let socket { entries.append(pollfd(fd: socket, events: Int16(POLLIN), revents: 0)) }
        guard poll(&entries, nfds_t(entries.count), -1) > 0, entries[0].revents != 0 else { return }
        var byte: UInt8 = 0
        _ = read(descriptors.read, &byte, 1)
    }
}

/// Lends C strings for the length of a call; nil stays nil, and a null pointer ends the list.
func withCStrings<T>(_ strings: [String?], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    let copies = strings.map { $0.flatMap { strdup($0) } }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { UnsafePointer($0) } + [nil])
}
