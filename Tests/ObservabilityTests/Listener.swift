import Dispatch
import Foundation

/// A local socket that a test receives from.
///
/// Its descriptor is used by one call at a time, on the socket's own queue.
final class Listener: Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "listener")

    /// - Parameter isDatagram: Whether it receives datagrams; otherwise it accepts connections.
    init(isDatagram: Bool) throws {
        let kind = isDatagram ? SOCK_DGRAM : SOCK_STREAM
        #if canImport(Darwin)
        descriptor = socket(AF_INET, kind, 0)
        #else
        descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // Limits the wait of a failing test.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let (descriptor, size) = (descriptor, length)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && (isDatagram || listen(descriptor, 8) == 0)
                    ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard status == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    /// The next datagram.
    func datagram() async -> String {
        await onQueue { descriptor in
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
    }

    /// The next HTTP request, which is answered with 200.
    func request() async -> (head: String, body: String) {
        await onQueue { descriptor in
            let connection = accept(descriptor, nil, nil)
            defer { close(connection) }
            var received = Data()
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while !Self.isComplete(received) {
                let count = recv(connection, &buffer, buffer.count, 0)
                guard count > 0 else { break }
                received += buffer[..<count]
            }
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
            _ = send(connection, answer, answer.count, 0)
            let text = String(decoding: received, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { return (text, "") }
            return (String(text[..<end.lowerBound]), String(text[end.upperBound...]))
        }
    }

    private static func isComplete(_ request: Data) -> Bool {
        guard let end = request.range(of: Data("\r\n\r\n".utf8)) else { return false }
        let head = String(decoding: request[..<end.lowerBound], as: UTF8.self).lowercased()
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }?.dropFirst(15)
        return request.count - end.upperBound >= length.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) } ?? 0
    }

    private func onQueue<T: Sendable>(_ body: @escaping @Sendable (Int32) -> T) async -> T {
        await withCheckedContinuation { continuation in
            queue.async { [self] in continuation.resume(returning: body(descriptor)) }
        }
    }
}
