import Dionysus
import FaultProxy
import Foundation
import TestSupport

/// A point on the way of a batch, at which a process can be killed.
enum Instant: String, Sendable {
    /// A relay has loaded a batch; its messages are not in the log.
    case beforeSend
    /// A relay's messages are in the log; their rows are not marked.
    case afterSend
    /// A relay has marked rows, and does not know whether it has.
    case afterMark
    /// A consumer has written a batch, and not committed it.
    case beforeCommit
    /// A consumer has committed a batch, and told nobody.
    case afterCommit

    /// What passes to and from the database until then; nil if it is the way to the broker that tells.
    fileprivate var databaseSigns: [FaultProxy.Sign]? {
        switch self {
        case .beforeSend: nil
        case .afterSend: [.request("UPDATE dionysus_outboxes SET published_at")]
        case .afterMark: [.request("UPDATE dionysus_outboxes SET published_at"), .reply("COMMIT\0")]
        case .beforeCommit: [.request("UPDATE dionysus_offsets"), .request("COMMIT\0")]
        case .afterCommit: [.request("UPDATE dionysus_offsets"), .reply("COMMIT\0")]
        }
    }

    /// What passes to the broker until then.
    fileprivate var brokerSigns: [FaultProxy.Sign] { databaseSigns == nil ? [.request("{\"message\":[{")] : [] }
}

extension System {
    /// Kills a process of servers at an instant, and starts another in its place.
    ///
    /// The process connects through proxies of its own, which let what belongs to the instant pass no further.
    /// - Returns: Whether the instant came. It doesn't while others have all the work.
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
        // It has to have begun its work: until then what passes is not about batches.
        try await pause(1500...3000, &random)
        database.change { $0.signsOfStandstill = instant.databaseSigns ?? [] }
        broker.change { $0.signsOfStandstill = instant.brokerSigns }
        // A member that joins a group has to wait for the others.
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

    /// Waits until nobody else writes.
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
