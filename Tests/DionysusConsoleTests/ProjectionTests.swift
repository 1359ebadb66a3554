import Dionysus
import DionysusConsole
import DionysusConsumer
import DionysusEvents
import TestSupport
import Testing

/// How far projections are, on the page and for programs.
@Suite struct ProjectionTests {
    struct Noted: Event {
        static let eventName = "Noted"
        var text: String
    }

    struct Notes: Projection {
        let name = "notes <1>"
        var version = 3
        let tables = ["notes"]

        func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws {
            try transaction.run("CREATE TABLE \(identifier: tables["notes"]) (text text)")
        }

        func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws {
            for case let event as Noted in events.map(\.event) {
                try transaction.run("INSERT INTO \(identifier: tables["notes"]) VALUES (\(event.text))")
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the console shows versions, lag and rebuilds of projections`(_ kind: TestDatabaseKind) async throws {
        struct Stop: Error {}
        try await Shop.with(kind) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                #expect(try await visitor.get("/api/v1/projections").json == ["projections": []])
                #expect(try await visitor.get("/projections").text.contains("There is no projection"))
                let store = EventStore(EventTypes(Noted.self))
                let notes = Projector(Notes(), store)
                try await shop.replica.transaction(.write) { transaction in
                    try EventSchema.create(in: &transaction)
                    try notes.create(in: &transaction)
                    let events = (1...4).map { NewEvent(Noted(text: "\($0)")) }
                    try store.append(events, to: StreamName("note", "1"), in: &transaction)
                }
                let new = Projector(Notes(version: 4), store)
                do {
                    _ = try await ProjectionRebuild(of: new, on: shop.replica, batchSize: 3).run { _ in throw Stop() }
                } catch is Stop {}
                let found = try await visitor.get("/api/v1/projections").json["projections"]
                guard case .array(let list)? = found, let status = list.first else {
                    Issue.record("there is no projection")
                    return
                }
                #expect(status["name"] == "notes <1>" && status["version"] == 3)
                #expect(status["position"] == 0 && status["last"] == 4 && status["lag_events"] == 4)
                #expect(status["rebuild"] == ["version": 4, "position": 3])
                let page = try await visitor.get("/projections").text
                #expect(page.contains("notes &lt;1&gt;") && page.contains("4 events") && page.contains("75 %"))
                _ = try await ProjectionRebuild(of: new, on: shop.replica).run()
                let after = try await visitor.get("/projections").text
                #expect(after.contains("1 projection has applied everything"))
            }
        }
    }
}
