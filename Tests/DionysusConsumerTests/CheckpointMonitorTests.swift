import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

/// Monitor events under the names of phobos_db_checkpoint's notifications.
@Suite struct CheckpointMonitorTests {
    private static let rentalsOnly = ConsumerTopic("rentals").eventLog()
        .handling { event, _ in event.model == "Rental" ? .acknowledged : .skipped }

    private static let check = "event_already_exists_check"

    /// Collects the names of the events after `db_checkpoint.`, each with its offset.
    private func watch(_ instrumentation: Instrumentation) -> (Collected<String>, Collected<EventCheckpoint.Subject>) {
        let (names, subjects) = (Collected<String>(), Collected<EventCheckpoint.Subject>())
        let monitor = instrumentation.monitor
        @Sendable func add(_ name: String, _ event: EventCheckpoint.Subject) {
            names.add("\(name.dropFirst("db_checkpoint.".count)) \(event.offset)")
            subjects.add(event)
        }
        monitor.subscribe(to: EventCheckpoint.ExistsCheck.self) { add(EventCheckpoint.ExistsCheck.name, $0.event) }
        monitor.subscribe(to: EventCheckpoint.AlreadyConsumed.self) {
            add(EventCheckpoint.AlreadyConsumed.name, $0.event)
        }
        monitor.subscribe(to: EventCheckpoint.Action.self) { add(EventCheckpoint.Action.name, $0.event) }
        monitor.subscribe(to: EventCheckpoint.Acknowledged.self) { add(EventCheckpoint.Acknowledged.name, $0.event) }
        monitor.subscribe(to: EventCheckpoint.Skipped.self) { add(EventCheckpoint.Skipped.name, $0.event) }
        monitor.subscribe(to: EventCheckpoint.AroundConsume.self) { add(EventCheckpoint.AroundConsume.name, $0.event) }
        return (names, subjects)
    }

    @Test func `the names are phobos_db_checkpoint's`() {
        #expect(
            Set(Monitor.eventNames.filter { $0.hasPrefix("db_checkpoint.") })
                == [
                    "db_checkpoint.around_consume", "db_checkpoint.event_already_exists_check",
                    "db_checkpoint.event_action", "db_checkpoint.event_acknowledged", "db_checkpoint.event_skipped",
                    "db_checkpoint.event_already_consumed",
                ]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an event is checked, handled and acknowledged or skipped, and one that is known isn't handled again`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let instrumentation = Instrumentation()
            let (names, subjects) = watch(instrumentation)
            let listener = Listener(topics: [Self.rentalsOnly])
            try await replica.publish(
                .rental(.created, 1, name: "first", partition: 2),
                .event("villa_updated", "Villa", #"{"id":1}"#, partition: 2)
            )
            try await replica.service(instrumentation, listener).run()
            let villa = ["\(Self.check) 1", "event_action 1", "event_skipped 1", "around_consume 1"]
            let rental = ["\(Self.check) 0", "event_action 0", "event_acknowledged 0", "around_consume 0"]
            #expect(names.all == rental + villa)
            let first = try #require(subjects.all.first)
            #expect(first.listenerID == "test" && first.groupID == ConsumerSettings.forTests.effectiveGroupID)
            #expect(first.topic == "v3_rentals" && first.partition == 2 && first.key == "Rental:1")
            #expect(first.retryCount == 0 && first.checksum.count == 32)

            try await replica.rewind()
            try await replica.service(instrumentation, listener).run()
            let again = ["\(Self.check) 0", "event_already_consumed 0", "around_consume 0"]
            #expect(Array(names.all.dropFirst(8)) == again + villa)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message that is tried again is reported once, with the number of earlier tries`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let instrumentation = Instrumentation()
            let (names, subjects) = watch(instrumentation)
            let refusals = Mutex(2)
            let topic = ConsumerTopic("rentals").eventLog()
                .handling { _, _ in
                    let isRefused = refusals.withLock { left in
                        defer { left -= 1 }
                        return left > 0
                    }
                    if isRefused { throw Diary.Refusal() }
                    return .acknowledged
                }
            var settings = ConsumerSettings.forTests
            settings.maxRetries = 3
            settings.maxRetryDelay = .milliseconds(1)
            try await replica.publish(.rental(.created, 1, name: "first"))
            try await replica.service(instrumentation, Listener(topics: [topic]), settings: settings).run()
            #expect(names.all.filter { $0.hasPrefix("around_consume") } == ["around_consume 0"])
            #expect(Set(subjects.all.map(\.retryCount)) == [2])
        }
    }
}
