import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RetryPolicyTests {
    /// Handles events, but each only after a number of tries.
    private static func handler(succeedingAt tries: Int, _ count: Shared<Int>) -> EventHandler {
        { _, _ in
            let tried = count.value.withLock { count in
                count += 1
                return count
            }
            if tried < tries { throw DionysusError(.application, "not yet") }
            return .acknowledged
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message that fails is tried again in its place before the topic's choice`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let (count, attempts) = (Shared<Int>(0), Shared<[Int]>([]))
            let policy = RetryPolicy { failure in
                attempts.value.withLock { $0.append(failure.attempts) }
                return failure.error.code == .application && failure.offset == 0 ? .milliseconds(1) : nil
            }
            let mirror = Mirror.rentals {
                $0.handling(Self.handler(succeedingAt: 4, count)).retrying(policy).onFailure(.stop)
            }
            try await replica.publish(.rental(.created, 1, name: "late"))
            try await replica.consume(mirror)
            #expect(attempts.value.withLock { $0 } == [1, 2, 3])
            #expect(try await replica.rows("SELECT name FROM rentals") == ["late"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a topic's policy goes before that of the settings, and theirs before the number of retries`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var settings = ConsumerSettings.forTests
            settings.maxRetries = 9
            settings.retryPolicy = .exponential(maxRetries: 1, initial: .milliseconds(1))
            func attempts(_ change: (ConsumerTopic) -> ConsumerTopic) async throws -> Int? {
                let handler = Self.handler(succeedingAt: .max, Shared<Int>(0))
                try await replica.execute("DELETE FROM dionysus_failures", "DELETE FROM dionysus_offsets")
                try await replica.consume(Mirror.rentals { change($0.handling(handler)) }, settings: settings)
                return try await replica.failures().list().first?.attempts
            }
            try await replica.publish(.rental(.created, 1, name: "never"))
            #expect(try await attempts { $0 } == 2)
            #expect(try await attempts { $0.retrying(.never) } == 1)
            #expect(
                try await attempts { $0.retrying(.exponential(maxRetries: 3, initial: .milliseconds(1))) } == 4
            )
            settings.retryPolicy = nil
            settings.maxRetries = 2
            settings.maxRetryDelay = .milliseconds(1)
            #expect(try await attempts { $0 } == 3)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a column that has been changed meanwhile is looked up again before a value is refused`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            var mirror = Mirror(onConsume: { event in
                guard event.offset == 0 else { return }
                try await replica.execute(
                    "ALTER TABLE rentals DROP COLUMN check_in_time",
                    "ALTER TABLE rentals ADD COLUMN check_in_time text"
                )
            })
            mirror.rentals = mirror.rentals.middleware(Bystander())
            var settings = ConsumerSettings.forTests
            settings.batchSize = 1
            try await replica.publish(
                .event("rental_created", "Rental", #"{"id":1,"check_in_time":15}"#),
                .event("rental_created", "Rental", #"{"id":2,"check_in_time":"afternoon"}"#)
            )
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.recorded() == [])
            #expect(try await replica.rows("SELECT check_in_time FROM rentals WHERE synced_id = 2") == ["afternoon"])
        }
    }
}

/// Something that closures share.
private final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>

    init(_ initial: Value) { value = Mutex(initial) }
}
