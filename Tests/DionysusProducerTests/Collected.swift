import Dionysus
import DionysusProducer
import Logging
import Synchronization

/// Values that something under test has handed out, in their order.
final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }

    func add(_ element: Element) { elements.withLock { $0.append(element) } }
}

extension Collected: ErrorHandler where Element == ErrorContext {
    func handle(_ error: any Error, _ context: ErrorContext) { add(context) }
}

extension Collected: Heartbeat where Element == VitalSign {
    func record(_ vital: VitalSign) { add(vital) }
}

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
