import Dionysus
import DionysusProducer
import Logging

extension ProducerHarness {
    /// A relay that tells what it does.
    func relayService(
        _ instrumentation: Instrumentation,
        broker: (any MessageBroker)? = nil,
        mode: RelayService.Mode = .untilEmpty
    ) -> RelayService {
        RelayService(
            registry,
            database: database,
            broker: broker ?? self.broker,
            settings: settings,
            mode: mode,
            instrumentation: instrumentation,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }
}
