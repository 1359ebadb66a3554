import Dionysus

extension Composer {
    /// The rows that must not be published, because of earlier ones.
    struct Held: Sendable {
        /// What the rows have in common that wait behind a failed one.
        private var keys: Set<String> = []

        /// Makes later rows wait behind one that has failed.
        mutating func hold(_ row: OutboxRow, _ policy: HoldPolicy) { keys.insert(Self.key(of: row, policy)) }

        /// Whether a row has to wait.
        func holds(_ row: OutboxRow, _ policy: HoldPolicy) -> Bool {
            policy != .pass && !keys.isEmpty && keys.contains(Self.key(of: row, policy))
        }

        private static func key(of row: OutboxRow, _ policy: HoldPolicy) -> String {
            policy == .holdPartitionKey
                ? row.partitionKey ?? row.record.messageKey : "\(row.topic) \(row.record.messageKey)"
        }
    }
}
