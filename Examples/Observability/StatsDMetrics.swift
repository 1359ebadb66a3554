public import CoreMetrics

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Sends metrics as StatsD lines over UDP, with Datadog's tags.
///
///     var instrumentation = Instrumentation()
///     instrumentation.metricsFactory = try StatsDMetrics(host: "127.0.0.1", port: 8125, namespace: "bookings")
///
/// `dionysus.relay.published` of a topic becomes
/// `bookings.dionysus.relay.published:3|c|#messaging.destination.name:v3_rentals`. A line that can't be sent at once is
/// dropped, as usual with StatsD: the application never waits for its metrics.
public struct StatsDMetrics: MetricsFactory {
    private let socket: DatagramSocket
    private let prefix: String
    private let hasTags: Bool

    /// Creates the factory.
    /// - Parameters:
    ///   - host: The agent's IPv4 address.
    ///   - namespace: A prefix for every name, separated by a dot; empty for none.
    ///   - tags: Whether dimensions are sent as Datadog tags; plain StatsD has none.
    /// - Throws: ``StatsDError`` for an invalid address, and if no socket can be created.
    public init(host: String = "127.0.0.1", port: UInt16 = 8125, namespace: String = "", tags: Bool = true) throws {
        socket = try DatagramSocket(host: host, port: port)
        prefix = namespace.isEmpty ? "" : namespace + "."
        hasTags = tags
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        line(label, dimensions, "c")
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        // Histograms are a Datadog extension; plain StatsD uses timers instead.
        line(label, dimensions, aggregate ? (hasTags ? "h" : "ms") : "g")
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        line(label, dimensions, "ms")
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func line(_ label: String, _ dimensions: [(String, String)], _ kind: String) -> StatsDLine {
        let tags = dimensions.map { "\(Self.part($0)):\(Self.part($1))" }.joined(separator: ",")
        return StatsDLine(
            start: Self.part(prefix + label) + ":",
            end: "|\(kind)" + (hasTags && !tags.isEmpty ? "|#\(tags)" : ""),
            socket: socket
        )
    }

    /// A name or a tag without reserved characters.
    private static func part(_ text: String) -> String {
        String(text.map { ":|@#,\n\r".contains($0) ? "_" : $0 })
    }
}

/// The reason why metrics can't be sent.
public struct StatsDError: Error, CustomStringConvertible {
    /// What happened, and what to do.
    public let description: String
}

/// A metric: a line without its value.
private final class StatsDLine: CounterHandler, RecorderHandler, TimerHandler {
    private let start: String
    private let end: String
    private let socket: DatagramSocket

    init(start: String, end: String, socket: DatagramSocket) {
        self.start = start
        self.end = end
        self.socket = socket
    }

    func increment(by amount: Int64) { send("\(amount)") }
    func reset() {}
    func record(_ value: Int64) { send("\(value)") }
    func record(_ value: Double) { send("\(value)") }
    func recordNanoseconds(_ duration: Int64) { send("\(Double(duration) / 1_000_000)") }

    private func send(_ value: String) { socket.send(start + value + end) }
}

/// A UDP socket for one address.
private final class DatagramSocket: Sendable {
    /// Closed when the socket is deallocated, even if its setup fails.
    private let descriptor: Int32

    init(host: String, port: UInt16) throws {
        #if canImport(Darwin)
        descriptor = socket(AF_INET, SOCK_DGRAM, 0)
        #else
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw StatsDError(description: "can't create a socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw StatsDError(description: "\(host) is no IPv4 address: give the agent's, such as 127.0.0.1")
        }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let isReady = status == 0 && fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
        guard isReady else { throw StatsDError(description: "\(host):\(port) can't be reached: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sending a datagram doesn't wait for its reader; datagrams that exceed the system's buffer are dropped.
    func send(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            _ = write(descriptor, bytes.baseAddress, bytes.count)
        }
    }
}
