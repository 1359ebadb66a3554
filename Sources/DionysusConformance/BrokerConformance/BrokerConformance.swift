/// The requirements of ``/Dionysus/MessageBroker``, as checks that any test framework can run.
///
///     @Test(arguments: BrokerConformance.checks)
///     func `conforms`(_ check: BrokerConformance.Check) async throws {
///         try await check.run(on: harness)
///     }
///
/// Checks share nothing, so they can run concurrently on one log.
public struct BrokerConformance: Sendable {
    /// One requirement of the port, with the code that checks it.
    public struct Check: Sendable, CustomStringConvertible {
        /// The requirement, as a sentence.
        public let description: String
        /// Whether it needs ``/Dionysus/MessageBroker/createTopics(_:)``, which some test brokers don't support.
        public let needsTopicCreation: Bool
        /// Whether it needs ``/Dionysus/MessageBroker/offsets(of:at:)`` with times, which some test brokers don't support.
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

        /// Runs the check.
        /// - Parameter harness: Where to find the broker.
        /// - Throws: ``ConformanceFailure`` if the broker doesn't conform, and the broker's errors.
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
