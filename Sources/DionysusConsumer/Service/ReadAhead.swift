import Dionysus
import Synchronization

/// Decides which partitions to read on, by how many of their messages wait.
///
/// A partition that has enough is left unread until half of that has been taken. All are when they have enough together,
/// but for those whose work stands still because their tables can't be written: what waits there must not keep the others
/// from going on, and nothing is added to it.
final class ReadAhead: Sendable {
    /// The messages of a partition, as long as one worker has it.
    struct Place: Sendable, Hashable {
        fileprivate let number: Int
    }

    private struct Content {
        let partition: TopicPartition
        var messages = 0
        var bytes = 0
        var isHeld = false
        /// Whether the partition's work stands still.
        var standsStill = false
    }

    private struct State {
        var places: [Place: Content] = [:]
        var lastNumber = 0
        /// How many bytes wait for partitions whose work goes on.
        var bytes = 0

        mutating func change(_ place: Place, _ body: (inout Content) -> Void) {
            guard var content = places[place] else { return }
            if !content.standsStill { bytes -= content.bytes }
            body(&content)
            if !content.standsStill { bytes += content.bytes }
            places[place] = content
        }
    }

    private let state = Mutex(State())
    private let messages: Int
    private let bytes: Int

    /// - Parameters:
    ///   - messages: How many messages of a partition are enough.
    ///   - bytes: How many bytes of all partitions are.
    init(messages: Int, bytes: Int) {
        self.messages = messages
        self.bytes = max(1, bytes)
    }

    /// How many bytes of one partition are enough.
    var largestShare: Int { max(1, bytes / 4) }

    /// How many bytes are to be read at once.
    var allowance: Int { state.withLock { max(1, min(largestShare, bytes - $0.bytes)) } }

    /// Begins to count the messages of a partition.
    func begin(_ partition: TopicPartition) -> Place {
        state.withLock { state in
            state.lastNumber += 1
            let place = Place(number: state.lastNumber)
            state.places[place] = Content(partition: partition)
            return place
        }
    }

    /// Counts the messages no more.
    func end(_ place: Place) {
        state.withLock { state in
            state.change(place) { $0.bytes = 0 }
            state.places[place] = nil
        }
    }

    /// Notes that messages have come, or have been taken.
    func add(messages: Int, bytes: Int, to place: Place) {
        state.withLock { state in
            state.change(place) { content in
                content.messages += messages
                content.bytes += bytes
            }
        }
    }

    /// Notes whether a partition's work stands still.
    func note(standsStill: Bool, _ place: Place) {
        state.withLock { state in state.change(place) { $0.standsStill = standsStill } }
    }

    /// Whether a partition is to be left unread.
    func isHeld(_ partition: TopicPartition) -> Bool {
        state.withLock { state in state.places.values.contains { $0.partition == partition && $0.isHeld } }
    }

    /// The partitions that are to be left unread from now on.
    /// - Parameter delivered: The partitions of which messages have just come; they are named again if a worker has
    ///   let them go meanwhile.
    func hold(delivered: Set<TopicPartition>) -> [TopicPartition] {
        state.withLock { state in
            let isFull = state.bytes >= bytes
            var held: [TopicPartition] = []
            for (place, content) in state.places where isFull || isEnough(content) || content.standsStill {
                guard !content.isHeld || delivered.contains(content.partition) else { continue }
                state.places[place]?.isHeld = true
                held.append(content.partition)
            }
            return held
        }
    }

    /// The partitions that were left unread and are to be read on.
    func letGo() -> [TopicPartition] {
        state.withLock { state in
            guard state.bytes <= bytes / 2 else { return [] }
            var free: [TopicPartition] = []
            for (place, content) in state.places where content.isHeld && isLittle(content) && !content.standsStill {
                state.places[place]?.isHeld = false
                free.append(content.partition)
            }
            return free
        }
    }

    private func isEnough(_ content: Content) -> Bool {
        content.messages >= messages || content.bytes >= largestShare
    }

    private func isLittle(_ content: Content) -> Bool {
        content.messages <= messages / 2 && content.bytes <= largestShare / 2
    }
}

extension ReadAhead {
    /// Goes on with partitions that were left unread because enough waited.
    func readOn(_ member: any MessageConsumer) async {
        let free = letGo()
        // A member that can't read on says so by its next event.
        if !free.isEmpty { try? await member.resume(free) }
    }
}
