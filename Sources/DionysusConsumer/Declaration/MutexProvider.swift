public import Dionysus

/// Prevents concurrent transactions from writing the same records, across partitions, topics, groups and processes.
///
/// ``DatabaseMutex`` is the one that is used unless another is given. A provider implements one of the two methods: locks
/// outside the database are held around the whole transaction, locks of the database are taken inside it. Both do
/// nothing by default.
public protocol MutexProvider: Sendable {
    /// Does work while no one else holds any of the keys.
    ///
    /// `work` has to be called once; it returns when the transaction has been committed.
    /// - Parameters:
    ///   - keys: The keys in ascending order, each once. Acquired in this order, they can't end in a deadlock.
    ///   - work: What is done while the keys are held.
    /// - Throws: What `work` throws, or why the keys can't be held. A ``/Dionysus/DionysusError`` that is retriable is waited for.
    func withLocks(_ keys: [String], _ work: () async throws -> Void) async throws

    /// Takes locks that the transaction holds until it ends.
    /// - Parameters:
    ///   - keys: The keys in ascending order, each once.
    ///   - transaction: The transaction, which has not touched data yet.
    func lock(_ keys: [String], in transaction: inout Transaction) throws
}

extension MutexProvider {
    public func withLocks(_ keys: [String], _ work: () async throws -> Void) async throws { try await work() }
    public func lock(_ keys: [String], in transaction: inout Transaction) throws {}
}

/// Locks of the replica's database: rows of `dionysus_locks` on PostgreSQL; on SQLite transactions that write exclude each
/// other in any case.
public struct DatabaseMutex: MutexProvider {
    fileprivate let stripes: Int

    /// Creates a provider.
    /// - Parameter stripes: On how many locks the keys are spread, at least one; 64 by default. Each
    ///   lock is a row that stays in `dionysus_locks`.
    public init(stripes: Int = 64) { self.stripes = max(stripes, 1) }

    public func lock(_ keys: [String], in transaction: inout Transaction) throws {
        let count = Int32(clamping: stripes)
        let numbers = Set(keys.map { Partitioner.crc32.partition(of: Array($0.utf8), partitions: count) })
        let dialect = transaction.dialect
        let locks = numbers.sorted().flatMap { dialect.transactionLock("dionysus:mutex:\($0)") }
        guard !locks.isEmpty else { return }
        try transaction.run(locks)
    }
}

extension ConsumerTopic {
    /// Prevents concurrent transactions from writing the same records through several topics, partitions or groups.
    ///
    /// Replication alone doesn't need it: of two transactions that meet on a record, one waits or is run again. It spares
    /// them that, and it makes what handlers read stay as it is until they have written. Every topic that writes the
    /// records has to ask for it.
    /// - Parameters:
    ///   - provider: What holds the locks; by default the replica's database.
    ///   - key: What an event has to have for itself: an account's id, say; nil for nothing. By default each of its
    ///     records, the sideloaded ones included, by model and id.
    public func sharingRecords(
        lockedBy provider: any MutexProvider = DatabaseMutex(),
        key: (@Sendable (IncomingEvent) -> String?)? = nil
    ) -> ConsumerTopic {
        let isDefault = (provider as? DatabaseMutex)?.isDefault == true && key == nil
        return changing { topic in
            topic.sharing = RecordSharing(provider: provider, key: key, choice: isDefault ? .records : .code)
        }
    }

    /// As ``sharingRecords(lockedBy:key:)``, by the keys of the messages: two with one key are never written at once.
    /// - Parameter provider: What holds the locks; by default the replica's database.
    public func sharingMessageKeys(lockedBy provider: any MutexProvider = DatabaseMutex()) -> ConsumerTopic {
        let isDefault = (provider as? DatabaseMutex)?.isDefault == true
        return sharingRecords(lockedBy: provider) { event in
            event.message.key.map { String(decoding: $0, as: UTF8.self) }
        }
        .changing { $0.sharing?.choice = isDefault ? .messageKeys : .code }
    }
}

/// What an event has for itself while it is written.
package enum SharingChoice: String, Sendable, CaseIterable {
    /// Its records.
    case records
    /// What has the key of its message.
    case messageKeys = "message_keys"
    /// What code says, or where another provider holds the locks.
    case code
}

extension DatabaseMutex {
    /// Whether it has as many locks as by default.
    fileprivate var isDefault: Bool { stripes == DatabaseMutex().stripes }
}

/// How a topic keeps its records from being written by others at the same time.
struct RecordSharing: Sendable {
    let provider: any MutexProvider
    let key: (@Sendable (IncomingEvent) -> String?)?
    /// What was chosen, as a declaration in a file could have it.
    var choice: SharingChoice
}
