/// What every broker behind ``MessageBroker`` does, as checks that any test framework can run.
///
///     @Test(arguments: BrokerConformance.checks)
///     func `conforms`(_ check: BrokerConformance.Check) async throws {
///         try await check.run(on: harness)
///     }
///
/// Checks share nothing, so they can run at the same time on one log.
public struct BrokerConformance: Sendable {
    /// One promise of the port, with the code that tries it.
    public struct Check: Sendable, CustomStringConvertible {
        /// The promise, as a sentence.
        public let description: String
        /// Whether ``MessageBroker/createTopics(_:)`` has to work, which it doesn't on some brokers made for tests.
        public let needsTopicCreation: Bool
        /// Whether ``MessageBroker/offsets(of:at:)`` has to know the time of messages, which it doesn't on some brokers
        /// made for tests.
        public let needsTimes: Bool
        private let body: @Sendable (BrokerTrial) async throws -> Void

        init(
            _ description: String,
            needsTopicCreation: Bool = false,
            needsTimes: Bool = false,
            _ body: @escaping @Sendable (BrokerTrial) async throws -> Void
        ) {
            self.description = description
            self.needsTopicCreation = needsTopicCreation
            self.needsTimes = needsTimes
            self.body = body
        }

        /// Tries the promise.
        /// - Parameter harness: Where to find the broker.
        /// - Throws: ``ConformanceFailure`` when the broker does something else, and what the broker throws.
        public func run(on harness: BrokerHarness) async throws {
            let broker = try await harness.makeBroker()
            do {
                try await body(BrokerTrial(harness: harness, broker: broker))
            } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        }
    }

    /// All checks.
    public static let checks: [Check] = sendingChecks + readingChecks + groupChecks + topicChecks
}
