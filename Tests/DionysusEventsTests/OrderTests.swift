import Dionysus
import DionysusEvents
import Dispatch
import TestSupport
import Testing

@testable import StreamTool

/// The order of the events of all streams.
@Suite struct OrderTests {
    /// What a reader of everything sees: global position, stream and position.
    private func seen(_ harness: EventsHarness) async throws -> [String] {
        try await EventOrder().extend(on: harness.database)
        return try await harness.database.transaction(.snapshot) { transaction in
            try store.readAll(after: 0, limit: 10_000, in: &transaction)
                .map { "\($0.globalPosition ?? 0) \($0.stream) \($0.position)" }
        }
    }

    /// Appends and numbers events until nothing can appear below a number of insertion; transactions of other databases of
    /// the server may delay that.
    /// - Returns: How many it has appended.
    private func appendUntilClosed(_ number: Int64, _ harness: EventsHarness) async throws -> Int {
        var count = 0
        while true {
            try await harness.append(Deposited(amount: 1))
            count += 1
            try await EventOrder().extend(on: harness.database)
            let closed = try await harness.rows("SELECT closed_number FROM dionysus_event_marks").first
            if Int64(closed ?? "") ?? 0 >= number { return count }
            try #require(count < 10_000)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `events of all streams are numbered from one without gaps`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"), Deposited(amount: 1))
            try await harness.append(Opened(owner: "Bob"), to: StreamName("account", "2"))
            // What is rolled back leaves no gap.
            _ = try? await harness.write { transaction in
                try store.append([NewEvent(Closed())], to: account, in: &transaction)
                throw CancellationError()
            }
            try await harness.append(Closed())
            #expect(try await seen(harness) == ["1 account-1 1", "2 account-1 2", "3 account-2 1", "4 account-1 3"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a category is read in the global order`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            for stream in ["account-1", "accounting-1", "card-1", "account-2", "account"] {
                try await harness.append(Closed(), to: StreamName(stream))
            }
            try await EventOrder().extend(on: harness.database)
            let read = try await harness.database.transaction(.snapshot) { transaction in
                try store.readAll(after: 0, categories: ["account"], limit: 10, in: &transaction)
            }
            #expect(read.map(\.stream.description) == ["account-1", "account-2", "account"])
            #expect(read.map(\.globalPosition) == [1, 4, 5])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `everything, or a category, is read backwards and up to a position`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            for number in 1...9 {
                try await harness.append(Closed(), to: StreamName(number % 3 == 0 ? "card" : "account", "\(number)"))
            }
            try await EventOrder().extend(on: harness.database)
            func positions(
                after first: Int64 = 0,
                through last: Int64? = nil,
                _ categories: Set<String> = [],
                reversed: Bool = false,
                limit: Int = 100
            ) async throws -> [Int64] {
                try await harness.database.transaction(.snapshot) { transaction in
                    try store.readAll(
                        after: first,
                        through: last,
                        categories: categories,
                        reversed: reversed,
                        limit: limit,
                        in: &transaction
                    )
                    .compactMap(\.globalPosition)
                }
            }
            #expect(try await positions(after: 2, through: 5) == [3, 4, 5])
            #expect(try await positions(reversed: true, limit: 3) == [9, 8, 7])
            #expect(try await positions(after: 2, through: 5, reversed: true) == [5, 4, 3])
            #expect(try await positions(["card"]) == [3, 6, 9])
            #expect(try await positions(["card"], reversed: true, limit: 2) == [9, 6])
            #expect(try await positions(through: 8, ["card"], reversed: true, limit: 2) == [6, 3])
            #expect(try await positions(after: 3, ["card"], limit: 1) == [6])
            #expect(try await positions(after: 9).isEmpty)
            #expect(try await positions(through: 100, limit: 0).isEmpty)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a stream is read with its global positions on request`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            for number in 1...4 { try await harness.append(Closed(), to: StreamName("account", "\(number % 2)")) }
            try await EventOrder().extend(on: harness.database)
            let stream = StreamName("account", "1")
            try await harness.append(Closed(), to: stream)
            let plain = try await store.read(stream, on: harness.database)
            #expect(plain.map(\.globalPosition) == [nil, nil, nil])
            let numbered = try await store.read(stream, withGlobalPositions: true, on: harness.database)
            #expect(numbered.map(\.globalPosition) == [1, 3, nil])
        }
    }

    @Test(arguments: TestDatabaseKind.available.filter { $0 == .postgres })
    func `transactions that commit in any order are numbered once, and the marks follow`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            // Each transaction stays open until others that began later have been committed and numbered.
            let gates = (0..<8).map { _ in DispatchSemaphore(value: 0) }
            let hasAppended = AsyncStream.makeStream(of: Void.self)
            var appended = hasAppended.stream.makeAsyncIterator()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in gates.indices {
                    group.addTask {
                        try await harness.write { transaction in
                            for _ in 0..<3 {
                                let stream = StreamName("account", "\(index)")
                                try store.append([NewEvent(Closed())], to: stream, in: &transaction)
                            }
                            hasAppended.continuation.yield()
                            gates[index].wait()
                            if index % 4 == 3 { throw CancellationError() }
                        }
                    }
                    await appended.next()
                }
                for gate in [7, 5, 2, 6, 0, 3, 4, 1] {
                    gates[gate].signal()
                    do { try await group.next() } catch is CancellationError {}
                    try await EventOrder().extend(on: harness.database)
                }
            }
            let order = try await seen(harness)
            let streams = [5, 2, 6, 0, 4, 1]
            let expected = streams.flatMap { stream in (1...3).map { "account-\(stream) \($0)" } }
            #expect(order == expected.enumerated().map { "\($0 + 1) \($1)" })
            // Later appends close what is below.
            let later = try await appendUntilClosed(24, harness)
            #expect(try await seen(harness).count == 18 + later)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a database that was restored from another server goes on with its order`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            try await harness.append(Opened(owner: "Ada"))
            try await EventOrder().extend(on: harness.database)
            // What the other server's transaction numbers would have left.
            _ = try await harness.write { transaction in
                try transaction.run(
                    "UPDATE dionysus_event_marks SET marked_number = 1, marked_transaction = \(Int64.max)"
                )
            }
            let later = try await appendUntilClosed(2, harness)
            #expect(try await seen(harness) == (1...(1 + later)).map { "\($0) account-1 \($0)" })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the order of a stream is that of its positions`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for number in 0..<30 {
                            try await harness.append(Closed(), Closed(), to: StreamName("account", "\(number % 3)"))
                        }
                    }
                }
                group.addTask { for _ in 0..<30 { try await EventOrder().extend(on: harness.database, batchSize: 3) } }
                try await group.waitForAll()
            }
            try await EventOrder().extend(on: harness.database)
            let events = try await harness.database.transaction(.snapshot) { transaction in
                try store.readAll(after: 0, limit: 1_000, in: &transaction)
            }
            #expect(events.map(\.globalPosition) == (1...240).map { $0 })
            for number in 0..<3 {
                let positions = events.filter { $0.stream.id == "\(number)" }.map(\.position)
                #expect(positions == Array(1...80))
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available.filter { $0 == .postgres })
    func `a transaction that commits late is not skipped, and keeps nobody waiting`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            let (hasAppended, mayCommit) = (AsyncStream.makeStream(of: Void.self), DispatchSemaphore(value: 0))
            async let late: Void = harness.write { transaction in
                try store.append([NewEvent(Opened(owner: "Late"))], to: StreamName("account", "late"), in: &transaction)
                hasAppended.continuation.yield()
                mayCommit.wait()
            }
            var appended = hasAppended.stream.makeAsyncIterator()
            await appended.next()
            try await harness.append(Opened(owner: "Early"), to: StreamName("account", "early"))
            let before = try await seen(harness)
            mayCommit.signal()
            try await late
            #expect(before == ["1 account-early 1"])
            #expect(try await seen(harness) == before + ["2 account-late 1"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `readers beside late commits all see the same order, and everything once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await EventsHarness.run(kind) { harness in
            for reader in ["a", "b"] {
                _ = try await harness.write {
                    try $0.run("CREATE TABLE \(identifier: "seen_\(reader)") (n bigint, event text, UNIQUE (event))")
                }
            }
            func reader(_ name: String, _ batchSize: Int) -> EventReader {
                EventReader(name, store, harness.database, batchSize: batchSize) { events, transaction in
                    for event in events {
                        try transaction.run(
                            """
                            INSERT INTO \(identifier: "seen_\(name)") (n, event)
                            VALUES (\(event.globalPosition ?? 0), \(event.id.uuidString))
                            """
                        )
                    }
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<20 {
                            try await harness.write { transaction in
                                for part in 0..<3 {
                                    let stream = StreamName("account", "\(writer)-\(number)-\(part)")
                                    try store.append([NewEvent(Closed())], to: stream, in: &transaction)
                                }
                                guard number % 5 == 4 else { return }
                                throw CancellationError()
                            }
                        }
                    }
                    group.addTask { for _ in 0..<10 { try await reader(writer % 2 == 0 ? "a" : "b", 7).catchUp() } }
                }
                while let result = await group.nextResult() {
                    if case .failure(let error) = result, !(error is CancellationError) { throw error }
                }
            }
            // A reader that is started again goes on where it was.
            try await reader("a", 1_000).catchUp()
            try await reader("b", 3).catchUp()
            let a = try await harness.rows("SELECT n, event FROM seen_a ORDER BY n")
            let b = try await harness.rows("SELECT n, event FROM seen_b ORDER BY n")
            let count = try await harness.rows("SELECT count(*) FROM dionysus_stream_events")
            #expect(a == b)
            #expect(["\(a.count)"] == count)
            #expect(a.enumerated().allSatisfy { $1.hasPrefix("\($0 + 1) ") })
        }
    }
}
