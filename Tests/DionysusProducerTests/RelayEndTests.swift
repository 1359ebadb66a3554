import Dionysus
import DionysusProducer
import Logging
import TestSupport
import Testing

@testable import Rentals

/// A relay that can't go on leaves nothing behind.
@Suite(.timeLimit(.minutes(10))) struct RelayEndTests {
    @Test(
        "a relay that ends because it can't look for rows closes the connection on which it listens for changes",
        arguments: TestDatabaseKind.available
    )
    func signal(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.pollInterval = .milliseconds(20)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let (armed, continuation) = AsyncStream.makeStream(of: Void.self)
            let closed = Collected<String>()
            let relay = RelayService(
                harness.registry,
                database: SignalWatch(
                    base: harness.database,
                    onArm: { continuation.yield() },
                    onClose: { closed.add("closed") }
                ),
                broker: harness.broker,
                settings: settings,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            let running = Task { try await relay.run() }
            for await _ in armed { break }
            try await harness.write("ALTER TABLE dionysus_lanes RENAME TO away")
            await #expect(throws: DionysusError.self) { try await running.value }
            #expect(closed.all == ["closed"])
        }
    }
}

/// A database that tells what becomes of its signal of changes.
private struct SignalWatch: CapturingDatabase {
    let base: any CapturingDatabase
    let onArm: @Sendable () -> Void
    let onClose: @Sendable () -> Void

    var captureSupport: CaptureSupport {
        CaptureSupport(outbox: base.outbox) { onChange in
            Signal(base: base.captureSupport.changeSignal(onChange), onArm: onArm, onClose: onClose)
        }
    }
    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T { try await base.transaction(kind, body) }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await base.lease(resource, idleTimeout: idleTimeout)
    }

    func close() async { await base.close() }

    private struct Signal: ChangeSignal {
        let base: any ChangeSignal
        let onArm: @Sendable () -> Void
        let onClose: @Sendable () -> Void

        func arm() async throws -> Bool {
            onArm()
            return try await base.arm()
        }

        func disarm() async { await base.disarm() }

        func close() async {
            onClose()
            await base.close()
        }
    }
}
