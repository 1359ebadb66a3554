import Dionysus
import DionysusEvents

/// What happens to an account: the events of the tests.
struct Opened: Event {
    static let eventName = "Opened"
    var owner: String
}

struct Deposited: Event {
    static let eventName = "Deposited"
    var amount: Int
}

struct Closed: Event {
    static let eventName = "Closed"
}

let store = EventStore(EventTypes(Opened.self, Deposited.self, Closed.self))

let account = StreamName("account", "1")

/// The accounts' balances, and how many events have taken effect.
struct Balances: Projection {
    var name = "balances"
    var version = 1
    var factor = 1
    var categories: Set<String> = ["account"]
    let tables = ["balances"]

    func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws {
        let table = tables["balances"]
        try transaction.run([
            "CREATE TABLE \(identifier: table) (id text PRIMARY KEY, balance bigint NOT NULL, effects bigint NOT NULL)",
            "CREATE INDEX \(identifier: table + "_balance") ON \(identifier: table) (balance)",
        ])
    }

    func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws {
        var changes: [String: (amount: Int, effects: Int)] = [:]
        for event in events {
            let amount = (event.event as? Deposited)?.amount ?? 0
            changes[event.stream.id, default: (0, 0)].amount += amount * factor
            changes[event.stream.id, default: (0, 0)].effects += 1
        }
        let rows = changes.sorted { $0.key < $1.key }
        let columns = [
            BulkColumn("id", .text, rows.map { .text($0.key) }),
            BulkColumn("amount", .integer, rows.map { .integer(Int64($0.value.amount)) }),
            BulkColumn("effects", .integer, rows.map { .integer(Int64($0.value.effects)) }),
        ]
        try transaction.run(
            """
            INSERT INTO \(identifier: tables["balances"]) AS b (id, balance, effects)
            SELECT v.id, v.amount, v.effects FROM \(transaction.dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT (id) DO UPDATE SET balance = b.balance + excluded.balance, effects = b.effects + excluded.effects
            """
        )
    }
}
