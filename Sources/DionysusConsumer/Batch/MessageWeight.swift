import Dionysus
import Synchronization

/// About how much memory a message takes, in bytes.
extension ConsumedMessage {
    /// As it came from the broker.
    var size: Int {
        (value?.count ?? 0) + (key?.count ?? 0) + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.count } + 100
    }

    /// Once it has been read and turned into values of columns.
    ///
    /// A small record takes far more than its bytes. Objects and values are counted by the signs before them; those
    /// within texts make a message seem heavier than it is, which does no harm.
    var decodedSize: Int {
        var weight = size
        for byte in value ?? [] {
            switch byte {
            case UInt8(ascii: "{"): weight += 600
            case UInt8(ascii: ","), UInt8(ascii: "["): weight += 60
            default: continue
            }
        }
        return weight
    }
}

extension [ConsumedMessage] {
    /// The most that the messages of one batch may take once they are read, unless one of them alone takes more.
    private static var batchWeight: Int { 64 << 20 }

    var decodedSize: Int { reduce(0) { $0 + $1.decodedSize } }

    /// How many of the first messages, up to a number, make a batch: at least one if there are any.
    func batchCount(atMost count: Int) -> Int {
        var weight = 0
        for (index, message) in prefix(count).enumerated() {
            weight += message.decodedSize
            if weight > Self.batchWeight, index > 0 { return index }
        }
        return Swift.min(count, self.count)
    }
}

/// Bounds what several users hold together.
final class WeightBudget: Sendable {
    private let held = Mutex(0)
    private let limit: Int

    /// - Parameter limit: How much they may hold, in bytes.
    init(_ limit: Int) { self.limit = limit }

    /// Whether as much is held as may be.
    var isSpent: Bool { held.withLock { $0 >= limit } }

    /// A part that is held as long as the object is there.
    final class Share: Sendable {
        private let budget: WeightBudget
        private let weight: Int

        fileprivate init(_ budget: WeightBudget, _ weight: Int) {
            self.budget = budget
            self.weight = weight
        }

        deinit { budget.take(-weight) }
    }

    /// Takes a part if there is room for it.
    func share(of weight: Int) -> Share? {
        let isTaken = held.withLock { held in
            guard held + weight <= limit else { return false }
            held += weight
            return true
        }
        return isTaken ? Share(self, weight) : nil
    }

    /// Takes a part, or gives it back if it is negative, whether there is room for it or not.
    func take(_ weight: Int) { held.withLock { $0 += weight } }
}
