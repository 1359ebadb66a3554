import Dionysus
import DionysusEvents
import Foundation
import TestSupport
import Testing

@testable import StreamTool

/// Repositories: loading, deciding, appending; retries; snapshots.
@Suite struct DeciderTests {
    private let accounts = Repository(Accounts(), category: "account", store)

    @Test(arguments: TestDatabaseKind.available)
    func `a command is decided on the state of its stream`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            await #expect(throws: Accounts.Refused(reason: "closed")) {
                try await accounts.execute(.deposit(1), on: "1", harness.database)
            }
            try await accounts.execute(.open(owner: "Ada"), on: "1", harness.database)
            let decision = try await accounts.execute(.deposit(7), on: "1", harness.database)
            #expect(decision.state == Accounts.State(balance: 7, isOpen: true))
            #expect(decision.position == 2)
            let none = try await accounts.execute(.open(owner: "Bob"), on: "1", harness.database)
            #expect(none.appended == nil)
            #expect(try await harness.names() == ["1 Opened", "2 Deposited"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `commands of concurrent writers are decided anew, and none is lost`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await accounts.execute(.open(owner: "Ada"), on: "1", harness.database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<10 {
                            try await accounts.execute(.deposit(1), on: "1", retries: 1_000, harness.database)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let loaded = try await accounts.load("1", on: harness.database)
            #expect(loaded.state.balance == 40)
            #expect(loaded.position == 41)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a command with an expected position is not decided anew`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            try await accounts.execute(.open(owner: "Ada"), on: "1", harness.database)
            let error = await #expect(throws: StreamConflict.self) {
                try await accounts.execute(.deposit(1), on: "1", expecting: 5, harness.database)
            }
            #expect(error?.found == .position(1))
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a command that is given again by its id leads to nothing more`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let id = UUID()
            try await accounts.execute(.open(owner: "Ada"), on: "1", commandID: id, harness.database)
            try await accounts.execute(.close, on: "1", harness.database)
            let again = try await accounts.execute(.open(owner: "Ada"), on: "1", commandID: id, harness.database)
            #expect(again.appended?.isRepeated == true)
            #expect(try await harness.names() == ["1 Opened", "2 Closed"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a snapshot spares the events before it, by its version and interval`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            func repository(_ version: Int) -> Repository<Accounts> {
                let policy = SnapshotPolicy<Accounts.State>("account", version: version, every: 5)
                return Repository(Accounts(), category: "account", store, snapshots: policy)
            }
            try await repository(1).execute(.open(owner: "Ada"), on: "1", harness.database)
            for _ in 0..<10 { try await repository(1).execute(.deposit(1), on: "1", harness.database) }
            #expect(try await harness.rows("SELECT position, version FROM dionysus_stream_snapshots") == ["10 1"])
            // A balance that the events don't have shows that it is read.
            _ = try await harness.write {
                try $0.run("UPDATE dionysus_stream_snapshots SET state = '{\"balance\":90,\"isOpen\":true}'")
            }
            #expect(try await repository(1).load("1", on: harness.database).state.balance == 91)
            #expect(try await repository(2).load("1", on: harness.database).state.balance == 10)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a snapshot without its event, or that can't be read, is not trusted`(_ kind: TestDatabaseKind) async throws {
        try await EventsHarness.run(kind) { harness in
            let policy = SnapshotPolicy<Accounts.State>("account", version: 1, every: 1)
            let accounts = Repository(Accounts(), category: "account", store, snapshots: policy)
            try await accounts.execute(.open(owner: "Ada"), on: "1", harness.database)
            try await accounts.execute(.deposit(3), on: "1", harness.database)
            _ = try await harness.write { try $0.run("UPDATE dionysus_stream_snapshots SET position = 9") }
            #expect(try await accounts.load("1", on: harness.database).state.balance == 3)
            _ = try await harness.write {
                try $0.run("UPDATE dionysus_stream_snapshots SET position = 2, state = '{}'")
            }
            #expect(try await accounts.load("1", on: harness.database).state.balance == 3)
        }
    }
}
