import Foundation

/// Something done again and again at an interval: the only timer of the embedded log.
///
/// As a sequence it ticks until the task that listens is cancelled.
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

    /// Ticks on its own thread until there is nothing more to do.
    ///
    /// For short intervals: a tick of a task costs several switches between threads, which at fifty ticks a second is
    /// more than one percent of a core.
    /// - Parameter tick: What to do; it returns whether there is more.
    func runOnThread(_ tick: @escaping @Sendable () -> Bool) {
        let thread = Thread {
            repeat { usleep(UInt32(interval.microseconds)) } while tick()
        }
        thread.name = "dionysus-cadence"
        thread.start()
    }
}
