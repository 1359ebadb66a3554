/// Ticks at an interval, until the task that listens is cancelled.
///
/// It is the only timer of the embedded log.
struct Cadence: AsyncSequence, Sendable {
    let interval: Duration

    init(every interval: Duration) { self.interval = interval }

    struct Iterator: AsyncIteratorProtocol {
        let interval: Duration

        mutating func next() async -> Void? {
            do {
                return try await ContinuousClock().sleep(for: interval)
            } catch {
                return nil
            }
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(interval: interval) }
}
