import Foundation

/// A port of localhost that no other socket gets while a mock cluster's broker is stopped.
///
/// librdkafka aborts the process if it can't listen on a broker's port again, and the system gives a free port to any
/// connection. A socket that is bound, and doesn't listen, keeps the port, and lets the broker have it.
final class ReservedPort: Sendable {
    private let file: Int32

    /// - Parameter port: The port; the result is nil if it is taken.
    init?(_ port: UInt16) {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard file >= 0 else { return nil }
        var isOn: Int32 = 1
        setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let code = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(file)
            return nil
        }
        self.file = file
    }

    deinit { close(file) }
}
