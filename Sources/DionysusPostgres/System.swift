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

/// Lends C strings for the length of a call; nil stays nil, and a null pointer ends the list.
func withCStrings<T>(_ strings: [String?], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    let copies = strings.map { $0.flatMap { strdup($0) } }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { UnsafePointer($0) } + [nil])
}
