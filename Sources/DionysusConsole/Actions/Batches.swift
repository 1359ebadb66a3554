import Synchronization

/// Ids that are worked on in portions.
final class Batches: Sendable {
    private let rest: Mutex<[Int64]>
    private let size: Int

    init(_ ids: [Int64], of size: Int) {
        rest = Mutex(ids)
        self.size = size
    }

    /// The next portion; nil once nothing is left.
    func next() -> [Int64]? {
        rest.withLock { rest in
            guard !rest.isEmpty else { return nil }
            let portion = Array(rest.prefix(size))
            rest.removeFirst(portion.count)
            return portion
        }
    }
}

/// Whether something is yet to be done that is done once.
final class Once: Sendable {
    private let isDone = Mutex(false)

    /// - Returns: Whether this is the first call.
    func take() -> Bool {
        isDone.withLock { isDone in
            defer { isDone = true }
            return !isDone
        }
    }
}
