import Dionysus

extension Composer {
    /// The rows that must not be published, because of earlier ones.
    struct Held: Sendable {
        /// The ids of rows that wait for earlier rows of their record in another lane.
        private let waiting: Set<Int64>
        /// The records of such rows.
        private var waitingRecords: Set<RecordReference> = []
        /// What the rows have in common that wait behind a failed one.
        private var keys: Set<String> = []

        init(waiting: Set<Int64> = []) { self.waiting = waiting }

        /// Makes later rows wait behind one that has failed.
        mutating func hold(_ row: OutboxRow, _ policy: HoldPolicy) { keys.insert(Self.key(of: row, policy)) }

        /// Whether a row has to wait; if it waits for another lane, so do its record's later rows.
        mutating func holds(_ row: OutboxRow, _ policy: HoldPolicy) -> Bool {
            if !waiting.isEmpty {
                if waiting.contains(row.id) { waitingRecords.insert(row.record) }
                if waitingRecords.contains(row.record) { return true }
            }
            return policy != .pass && !keys.isEmpty && keys.contains(Self.key(of: row, policy))
        }

        private static func key(of row: OutboxRow, _ policy: HoldPolicy) -> String {
            policy == .holdPartitionKey
                ? row.partitionKey ?? row.record.messageKey : "\(row.topic) \(row.record.messageKey)"
        }
    }
}
