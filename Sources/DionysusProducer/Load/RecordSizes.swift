import Dionysus
import Synchronization

/// About how much memory the records of a model take on their way from the database to the broker, judged by those seen last.
final class RecordSizes: Sendable {
    /// The size that is assumed until a record of the model has been seen: so large that the first few are no surprise.
    private static let unknown = 1 << 20

    private let sizes = Mutex<[RecordGroup: Int]>([:])

    /// The first of some rows that may be loaded at once: one at least.
    /// - Parameters:
    ///   - limit: How much memory they may take together.
    /// - Returns: How many they are, and how much memory they take.
    func slice(of rows: ArraySlice<OutboxRow>, upTo limit: Int) -> (count: Int, bytes: Int) {
        sizes.withLock { sizes in
            var (count, bytes) = (0, 0)
            for row in rows {
                let size = sizes[RecordGroup(row)] ?? Self.unknown
                if count > 0, size > limit - bytes { break }
                (count, bytes) = (count + 1, bytes + size)
            }
            return (count, bytes)
        }
    }

    /// The size of loaded values that take as much memory on their way.
    static func loadedSize(ofTotal size: Int) -> Int { size / copies }

    /// Notes the sizes of records that have been loaded.
    ///
    /// A larger size counts at once, a smaller one gradually.
    func note(_ loaded: LoadedBatch) {
        note(loaded.records.compactMapValues(\.averageSize))
        note(loaded.apart.compactMapValues { $0.values.compactMap(\.averageSize).max() })
    }

    /// Notes the sizes of messages that are no model's.
    func note(_ messages: [String: StoredMessage]?, of rows: [OutboxRow]) {
        guard let messages, !messages.isEmpty else { return }
        let size = Self.overhead + Self.copies * messages.values.reduce(0) { $0 + $1.byteCount } / messages.count
        let groups = Set(rows.filter(\.isOfPlainMessage).map(RecordGroup.init))
        note(Dictionary(groups.map { ($0, size) }, uniquingKeysWith: { first, _ in first }))
    }

    private func note(_ found: [RecordGroup: Int]) {
        sizes.withLock { sizes in
            for (group, size) in found {
                sizes[group] = max(size, ((sizes[group] ?? size) * 3 + size) / 4)
            }
        }
    }
}

extension RecordSizes {
    /// What a record takes beside its values: its row of the outbox, its message, and what becomes of both.
    fileprivate static let overhead = 4 << 10
    /// How many times values are there at once: as the database gave them, as a payload, in a message, and with the broker's
    /// client.
    fileprivate static let copies = 4
}

extension LoadedRecords {

    /// About how much memory each of the records takes until its message has been sent; nil if there are none.
    var averageSize: Int? { count > 0 ? RecordSizes.overhead + RecordSizes.copies * byteCount / count : nil }
}

extension LoadedBatch.Outcome {
    fileprivate var averageSize: Int? { if case .loaded(let records) = self { records.averageSize } else { nil } }
}

extension ResultSet {
    /// About how much memory the values take.
    var byteCount: Int {
        var total = 0
        for row in 0..<count {
            for column in columns.indices { total += self[row, column].byteCount }
        }
        return total
    }
}
