import Dionysus
import Logging
import Synchronization

/// Tells once of models whose records are left out.
final class SkippedModels: Sendable {
    private let told = Mutex<Set<String>>([])
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func refused(_ model: String, from topic: String) {
        guard isNew("\(topic) \(model)") else { return }
        logger.warning(
            """
            messages of \(topic) have records of the model \(model.inMessage), which it may not write: they are left out. If \
            it should, name the model where the topic is declared (accepting:), and reset the topic
            """
        )
    }

    /// Names come from messages: endless ones must fill neither the memory nor the log.
    private func isNew(_ key: String) -> Bool {
        told.withLock { told in told.count < 1_000 && told.insert(key).inserted }
    }
}
