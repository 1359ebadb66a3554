import Dionysus

/// What is remembered of the last applied message of a partition, so that a log that was created anew is distinguished from the
/// one that was read, however long it has grown.
struct LogMark: Sendable, Hashable {
    /// The message's offset.
    let offset: Int64
    private let timestamp: Int64
    private let checksum: UInt64

    init(_ message: ConsumedMessage) {
        offset = message.offset
        timestamp = message.timestamp.microseconds
        let (key, value) = (FailureLog.hash(of: message.key ?? []), FailureLog.hash(of: message.value ?? []))
        // The two must not cancel each other out.
        checksum = UInt64(bitPattern: key) &* 31 ^ UInt64(bitPattern: value)
    }

    /// - Returns: nil for a text that is none, as a later version may write it.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let offset = Int64(parts[0]), let timestamp = Int64(parts[1]),
            let checksum = UInt64(parts[2], radix: 16)
        else { return nil }
        (self.offset, self.timestamp, self.checksum) = (offset, timestamp, checksum)
    }

    /// The mark as it stands in the database: offset, time in microseconds and checksum.
    var text: String { "\(offset):\(timestamp):\(String(checksum, radix: 16))" }
}

extension MessageBatch {
    /// What is remembered of the last message.
    var mark: LogMark? { messages.last.map { LogMark($0) } }
}

/// Compares a log with what is stored of it: reading begins with the message that was applied last.
struct LogCheck: Sendable {
    /// The message that was applied last.
    let mark: LogMark
    /// The offset to go on at.
    let next: Int64
    /// Whether the log has been compared, or can't be, because that message is no longer kept.
    private(set) var isSettled = false

    /// - Returns: nil if nothing is known of the message before the offset.
    init?(_ stored: StoredPosition?) {
        guard let stored, let mark = stored.mark, mark.offset < stored.next else { return nil }
        self.mark = mark
        next = stored.next
    }

    /// Looks at the first messages, or at the first ones behind them.
    /// - Returns: Whether the log may be the one that was read.
    mutating func agrees(with messages: some Collection<ConsumedMessage>) -> Bool {
        guard !isSettled, let first = messages.first(where: { $0.offset >= mark.offset }) else { return true }
        isSettled = true
        return first.offset > mark.offset || LogMark(first) == mark
    }

    /// Nothing is kept of the message, or of any before an offset.
    mutating func giveUp() { isSettled = true }
}
