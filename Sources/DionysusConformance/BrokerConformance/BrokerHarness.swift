public import Dionysus

/// Where ``BrokerConformance`` finds a broker, and what it has to know about it.
public struct BrokerHarness: Sendable {
    /// Makes a client of the log under test; all clients see the same log.
    public var makeBroker: @Sendable () async throws -> any MessageBroker
    /// Makes an empty topic with this many partitions, and returns its name, which was never used before.
    public var makeTopic: @Sendable (_ partitions: Int32) async throws -> String
    /// How long a message's value must be to be refused, in bytes.
    public var oversize: Int
    /// How long to wait for a message, an assignment or a rebalance before the check fails.
    public var patience: Duration
    /// Settings for every producer.
    public var producerSettings: [String: String]
    /// Settings for every consumer.
    public var consumerSettings: [String: String]

    /// Creates a harness.
    /// - Parameters:
    ///   - makeBroker: Makes a client of the log under test. All clients see the same log.
    ///   - makeTopic: Makes an empty topic with this many partitions, and returns its name.
    public init(
        oversize: Int = 2_000_000,
        patience: Duration = .seconds(30),
        producerSettings: [String: String] = [:],
        consumerSettings: [String: String] = [:],
        makeBroker: @escaping @Sendable () async throws -> any MessageBroker,
        makeTopic: @escaping @Sendable (_ partitions: Int32) async throws -> String
    ) {
        self.oversize = oversize
        self.patience = patience
        self.producerSettings = producerSettings
        self.consumerSettings = consumerSettings
        self.makeBroker = makeBroker
        self.makeTopic = makeTopic
    }

    /// A name that nobody has used before.
    /// - Returns: The name: letters, digits and dashes.
    public static func freshName(_ prefix: String = "conformance") -> String {
        "\(prefix)-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    }
}
