import Dionysus
import Hummingbird
import HummingbirdCore
import NIOCore

/// The address that a server listens on.
struct ListeningAddress: Sendable {
    private let host: String
    private let port: Int

    /// - Throws: `DionysusError` with code `configuration` for a number that is no port.
    init(_ host: String, _ port: Int) throws {
        guard (0...65_535).contains(port) else {
            throw DionysusError(.configuration, "\(port) is no port: it has to be 0 to 65535")
        }
        self.host = host
        self.port = port
    }

    /// Whether only this machine can reach it.
    var isLoopback: Bool {
        // Names are resolved elsewhere; of those only this one is sure to stay here.
        if host == "localhost" { return true }
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return false }
        switch address {
        case .v4: return host.hasPrefix("127.")
        case .v6: return address.ipAddress == "::1"
        case .unixDomainSocket: return false
        }
    }

    /// A server's configuration.
    /// - Parameter connections: How many connections it has at most.
    func configuration(connections: Int) -> ApplicationConfiguration {
        ApplicationConfiguration(
            address: .hostname(host, port: port),
            availableConnectionsDelegate: MaximumAvailableConnections(connections)
        )
    }

    /// Does a server's work.
    /// - Throws: `DionysusError` with code `configuration` if the address can't be listened on, and what the work throws.
    func serving(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let error as IOError {
            throw DionysusError(
                .configuration,
                "\(host):\(port) can't be listened on: \(error.description)",
                advice: "choose another port, or end what listens there",
                underlying: error
            )
        }
    }
}
