public import Dionysus

/// The broker for ``BrokerConformance``, and what the checks need to know about it.
public struct BrokerHarness: Sendable {
    /// Creates a client of the log under test; all clients see the same log.
    package var makeBroker: @Sendable () async throws -> any MessageBroker
    /// Creates an empty topic with this many partitions, and returns its name, which must be new.
    package var makeTopic: @Sendable (_ partitions: Int32) async throws -> String
    /// The size of a message's value that the broker refuses, in bytes.
    package var oversize: Int
    /// The maximum wait for a message, an assignment or a rebalance before the check fails.
    package var patience: Duration
    /// Settings for every producer.
    package var producerSettings: [String: String]
    /// Settings for every consumer.
    package var consumerSettings: [String: String]

    /// Creates a harness.
    /// - Parameters:
    ///   - oversize: A size in bytes that is above the log's limit for one message.
    ///   - patience: How long a check waits for what must happen.
    ///   - producerSettings: Settings of the producers that checks create.
    ///   - consumerSettings: Settings of the consumers that checks create.
    ///   - makeBroker: Creates a client of the log under test. All clients see the same log.
    ///   - makeTopic: Creates an empty topic with this many partitions, and returns its name.
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

    /// Returns a new, unique name.
    /// - Returns: The name: letters, digits and dashes.
    public static func freshName(_ prefix: String = "conformance") -> String {
        "\(prefix)-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    }
}
