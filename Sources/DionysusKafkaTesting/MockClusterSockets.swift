import Foundation

/// Disables Nagle's algorithm for a mock cluster's connections.
///
/// librdkafka leaves it enabled and writes an answer in several pieces: with the client's delayed acknowledgements,
/// each answer would take 40 ms. Accepted connections inherit the listening socket's options.
/// - Parameter servers: The addresses on which the cluster listens, in this process: `host:port`, separated by commas.
func sendWithoutDelay(_ servers: String) {
    let ports = Set(servers.split(separator: ",").compactMap { $0.split(separator: ":").last.flatMap { UInt16($0) } })
    let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    for file in files.compactMap({ Int32($0) }) where listeningPort(of: file).map(ports.contains) == true {
        var isOn: Int32 = 1
        setsockopt(file, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// The port of a listening IPv4 socket; nil for any other file descriptor.
private func listeningPort(of file: Int32) -> UInt16? {
    var isListening: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(file, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening != 0 else { return nil }
    var address = sockaddr_in()
    size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(file, $0, &size) }
    }
    guard code == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
    return UInt16(bigEndian: address.sin_port)
}
