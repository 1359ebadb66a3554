import CRdkafka
import Dionysus

/// The batches in flight, and how a producer's client ends: a value without I/O.
struct DeliveryTable: Sendable {
    typealias Results = [Result<Acknowledgement, DionysusError>]

    enum Phase: Sendable {
        /// New batches are accepted.
        case open
        /// No new batch is taken; those in flight may take until the deadline.
        case draining(until: ContinuousClock.Instant)
        /// The batches in flight are to end at once.
        case purged
    }

    /// The next action of the client's thread.
    enum Step: Sendable {
        case wait(Duration?)
        case purge
        case end
    }

    /// A continuation to resume once the table is unlocked.
    struct Completion: Sendable {
        var continuation: CheckedContinuation<Results, Never>
        var results: Results
    }

    private struct Batch: Sendable {
        let messages: [OutgoingMessage]
        var results: Results
        var remaining: Int
        var continuation: CheckedContinuation<Results, Never>?

        mutating func settle(_ index: Int, _ result: (String) -> Result<Acknowledgement, DionysusError>) {
            results[index] = result(messages[index].topic)
            remaining -= 1
        }
    }

    /// librdkafka's report on one message.
    struct Report {
        var tag: Tag
        var code: rd_kafka_resp_err_t
        var acknowledgement: Acknowledgement
    }

    /// Identifies a message in delivery reports: the number of its batch and its index there.
    struct Tag: Sendable {
        var batch: UInt32
        var index: UInt32

        init(batch: UInt32, index: Int) {
            self.batch = batch
            self.index = UInt32(truncatingIfNeeded: index)
        }

        /// Restores a tag from the opaque pointer of a message.
        init(_ opaque: UnsafeMutableRawPointer?) {
            let bits = UInt(bitPattern: opaque)
            batch = UInt32(truncatingIfNeeded: bits >> 32)
            index = UInt32(truncatingIfNeeded: bits)
        }

        /// The tag encoded as a pointer, so that no memory has to outlive the message.
        var opaque: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: UInt(batch) << 32 | UInt(index)) }
    }

    private var batches: [UInt32: Batch] = [:]
    private var lastBatch: UInt32 = 0
    private(set) var phase = Phase.open
    /// The number of calls that are using the client, which must not be destroyed meanwhile.
    private(set) var users = 0
    /// Counts how often space became available in the client's queue.
    private(set) var roomings: UInt64 = 0
    /// The client's problem with the brokers, which explains dropped messages and timeouts.
    var outage: DionysusError?
    /// The missing permission that made the client unusable, if any.
    var denial: DionysusError?
    private var waitingForRoom: [CheckedContinuation<Void, Never>] = []

    var isOpen: Bool { if case .open = phase { true } else { false } }

    /// Adds a batch, and its sender as a user of the client.
    /// - Returns: The batch's number, or nil if no batches are accepted.
    mutating func begin(_ messages: [OutgoingMessage]) -> UInt32? {
        guard isOpen else { return nil }
        repeat { lastBatch &+= 1 } while lastBatch == 0 || batches[lastBatch] != nil
        let pending = Acknowledgement(partition: RD_KAFKA_PARTITION_UA, offset: Int64(RD_KAFKA_OFFSET_INVALID))
        batches[lastBatch] = Batch(
            messages: messages,
            results: Array(repeating: .success(pending), count: messages.count),
            remaining: messages.count
        )
        users += 1
        return lastBatch
    }

    /// Registers a call that uses the client, unless the client is shutting down.
    mutating func enter() -> Bool {
        guard isOpen else { return false }
        users += 1
        return true
    }

    mutating func leave() { users -= 1 }

    /// The destination of a message; nil if its batch has ended.
    func destination(of tag: Tag) -> OutgoingMessage.Destination? {
        batches[tag.batch]?.messages[Int(tag.index)].destination
    }

    /// Records the result of one message.
    mutating func settle(_ tag: Tag, _ result: Result<Acknowledgement, DionysusError>) -> Completion? {
        batches[tag.batch]?.settle(Int(tag.index)) { _ in result }
        return completion(of: tag.batch)
    }

    /// Records the results of messages; those of one batch are usually consecutive.
    mutating func settle(_ reports: [Report]) -> [Completion] {
        var completions: [Completion] = []
        var start = 0
        let cause = denial ?? outage
        while start < reports.count {
            let number = reports[start].tag.batch
            let end = reports[start...].firstIndex { $0.tag.batch != number } ?? reports.count
            if let place = batches.index(forKey: number) {
                for report in reports[start..<end] {
                    batches.values[place]
                        .settle(Int(report.tag.index)) { topic in
                            report.code == RD_KAFKA_RESP_ERR_NO_ERROR
                                ? .success(report.acknowledgement)
                                : .failure(Self.failure(report.code, topic: topic, cause))
                        }
                }
            }
            if let completion = completion(of: number) { completions.append(completion) }
            start = end
        }
        return completions
    }

    private static func failure(_ code: rd_kafka_resp_err_t, topic: String, _ cause: DionysusError?) -> DionysusError {
        switch code {
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
            RD_KAFKA_RESP_ERR__TRANSPORT:
            cause ?? .undelivered(code, topic: topic)
        default:
            .undelivered(code, topic: topic)
        }
    }

    /// Registers the sender that waits for a batch.
    mutating func wait(_ continuation: CheckedContinuation<Results, Never>, for batch: UInt32) -> Completion? {
        batches[batch]?.continuation = continuation
        return completion(of: batch)
    }

    private mutating func completion(of number: UInt32) -> Completion? {
        guard let batch = batches[number], batch.remaining == 0, let continuation = batch.continuation else {
            return nil
        }
        batches[number] = nil
        return Completion(continuation: continuation, results: batch.results)
    }

    /// Registers a sender that found the queue full.
    /// - Returns: Whether it has to wait; space may have become available since.
    mutating func waitForRoom(_ continuation: CheckedContinuation<Void, Never>, since seen: UInt64) -> Bool {
        guard seen == roomings else { return false }
        if case .purged = phase { return false }
        waitingForRoom.append(continuation)
        return true
    }

    /// Records that space became available in the queue.
    /// - Returns: The waiting senders.
    mutating func makeRoom() -> [CheckedContinuation<Void, Never>] {
        roomings &+= 1
        defer { waitingForRoom = [] }
        return waitingForRoom
    }

    /// Stops accepting batches; once set, the deadline can only become earlier.
    mutating func drain(until deadline: ContinuousClock.Instant) {
        switch phase {
        case .open: phase = .draining(until: deadline)
        case .draining(let earlier): phase = .draining(until: min(earlier, deadline))
        case .purged: return
        }
    }

    /// The next action of the client's thread.
    mutating func step(at now: ContinuousClock.Instant) -> Step {
        let isIdle = users == 0 && batches.isEmpty
        switch phase {
        case .open:
            return .wait(nil)
        case .draining(let deadline):
            if isIdle { return .end }
            if now < deadline { return .wait(deadline - now) }
            phase = .purged
            return .purge
        case .purged:
            return isIdle ? .end : .wait(nil)
        }
    }
}
