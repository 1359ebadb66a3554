import Dionysus
import FaultProxy
import Foundation
import TestSupport

/// A point in the processing of a batch at which a process can be killed.
enum Instant: String, Sendable {
    /// A relay has loaded a batch; its messages are not in the log.
    case beforeSend
    /// A relay's messages are in the log; their rows are not marked.
    case afterSend
    /// A relay has marked rows, but has not received the confirmation.
    case afterMark
    /// A consumer has written a batch, but not committed it.
    case beforeCommit
    /// A consumer has committed a batch to the database, but not to the broker.
    case afterCommit

    /// The traffic with the database up to that point; nil if the traffic with the broker determines it.
    fileprivate var databaseSigns: [FaultProxy.Sign]? {
        switch self {
        case .beforeSend: nil
        case .afterSend: [.request("UPDATE dionysus_outboxes SET published_at")]
        case .afterMark: [.request("UPDATE dionysus_outboxes SET published_at"), .reply("COMMIT\0")]
        case .beforeCommit: [.request("UPDATE dionysus_offsets"), .request("COMMIT\0")]
        case .afterCommit: [.request("UPDATE dionysus_offsets"), .reply("COMMIT\0")]
        }
    }

    /// The traffic to the broker up to that point.
    fileprivate var brokerSigns: [FaultProxy.Sign] { databaseSigns == nil ? [.request("{\"message\":[{")] : [] }
}

extension System {
    /// Kills a process at an exact point, and starts a replacement.
    ///
    /// The process connects through its own proxies, which hold back the traffic after that point.
    /// - Returns: Whether the point was reached. It isn't if other processes do all the work.
    func kill(_ role: Role, at instant: Instant, _ random: inout SeededGenerator) async throws -> Bool {
        guard let process = any(role, &random), let databaseProxy, let producerProxy else { return false }
        let database = try await FaultProxy(host: "127.0.0.1", port: databaseProxy.port)
        let broker = try await FaultProxy(host: "127.0.0.1", port: producerProxy.port, advertisesItself: true)
        var places = places
        places.source = places.source.replacing(":\(databaseProxy.port)/", with: ":\(database.port)/")
        places.replica = places.replica.replacing(":\(databaseProxy.port)/", with: ":\(database.port)/")
        places.counts = places.counts.replacing(":\(databaseProxy.port)/", with: ":\(database.port)/")
        if role == .relay { places.producerBroker = "127.0.0.1:\(broker.port)" }
        try await remove(process, role, gracefully: true)
        let doomed = try start(role, at: places)
        // It must have started its work: earlier traffic doesn't concern batches.
        try await pause(1500...3000, &random)
        database.change { $0.signsOfStandstill = instant.databaseSigns ?? [] }
        broker.change { $0.signsOfStandstill = instant.brokerSigns }
        // A joining member has to wait for the others.
        let end = ContinuousClock.now + .seconds(25)
        while !database.hasStandstill, !broker.hasStandstill, doomed.isRunning, .now < end {
            try await Task.sleep(for: .milliseconds(1))
        }
        try await replace(doomed, role)
        await database.close()
        await broker.close()
        return database.hasStandstill || broker.hasStandstill
    }
}

/// The write lock of a file, held by this process.
struct FileLock {
    private let database: any Database
    private let release: DispatchSemaphore
    private let holding: Task<Void, any Error>

    /// Waits until no other process writes.
    init(_ url: String) async throws {
        let database = try System.open(url)
        let release = DispatchSemaphore(value: 0)
        let (taken, continuation) = AsyncStream<Void>.makeStream()
        holding = Task {
            defer { continuation.finish() }
            try await Backoff(initial: .milliseconds(1), maximum: .milliseconds(1))
                .retrying {
                    try await database.transaction(.write) { _ in
                        continuation.yield()
                        release.wait()
                    }
                }
        }
        self.database = database
        self.release = release
        for await _ in taken { break }
    }

    func giveBack() async throws {
        release.signal()
        try await holding.value
        await database.close()
    }
}
