import Dionysus
import DionysusEvents

/// The read model: a row for each ad.
struct AdBoard: Projection {
    let name = "ad_board"
    let categories: Set<String> = ["ad"]
    let tables = ["ad_board"]

    func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        try transaction.run(
            """
            CREATE TABLE \(identifier: tables["ad_board"]) (
              ad_id \(raw: dialect.columnType(.uuid)) PRIMARY KEY, title text NOT NULL, price numeric(12,2) NOT NULL,
              state text NOT NULL, version \(raw: dialect.columnType(.bigint)) NOT NULL
            )
            """
        )
    }

    /// The rows are loaded and written by one statement each, however many events there are.
    func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws {
        let table = tables["ad_board"]
        var ads = try AdRow.load(Set(events.map(\.stream.id)), from: table, in: &transaction)
        for event in events {
            AdRules().evolve(&ads[event.stream.id, default: AdRow()].ad, event.event)
            ads[event.stream.id]?.version = event.position
        }
        try AdRow.store(ads, into: table, in: &transaction)
    }
}

/// A row of the board.
struct AdRow: Sendable {
    var ad = Ad()
    var version: Int64 = 0

    static func load(_ ids: Set<String>, from table: String, in transaction: inout Transaction) throws -> [String:
        AdRow]
    {
        let isOne = transaction.dialect.isAny("ad_id", of: ids.sorted().map(DatabaseValue.text), type: .uuid)
        return try rows(of: table, where: isOne, in: &transaction)
            .reduce(into: [:]) { rows, row in rows[row.id] = row.row }
    }

    /// The rows of a board, in the order of their titles.
    static func rows(
        of table: String,
        where condition: SQL = "true",
        in transaction: inout Transaction
    ) throws -> [(id: String, row: AdRow)] {
        let price = transaction.dialect.asText("price")
        return
            try transaction.run(
                """
                SELECT ad_id, title, \(price), state, version FROM \(identifier: table) WHERE \(condition)
                ORDER BY title, ad_id
                """
            )
            .rows
            .map { row in
                let state = Ad.State(rawValue: try row.text(3) ?? "") ?? .missing
                let price = try row.text(2).flatMap { ExactDecimal($0) }
                let ad = Ad(state: state, title: try row.text(1) ?? "", price: price ?? 0)
                return (try row.text(0) ?? "", AdRow(ad: ad, version: try row.integer(4) ?? 0))
            }
    }

    static func store(_ rows: [String: AdRow], into table: String, in transaction: inout Transaction) throws {
        let rows = rows.sorted { $0.key < $1.key }
        let columns = [
            BulkColumn("ad_id", .uuid, rows.map { .text($0.key) }),
            BulkColumn("title", .text, rows.map { .text($0.value.ad.title) }),
            BulkColumn("price", .decimal, rows.map { .decimal($0.value.ad.price) }),
            BulkColumn("state", .text, rows.map { .text($0.value.ad.state.rawValue) }),
            BulkColumn("version", .integer, rows.map { .integer($0.value.version) }),
        ]
        try transaction.run(
            """
            INSERT INTO \(identifier: table) AS b (ad_id, title, price, state, version)
            SELECT v.ad_id, v.title, v.price, v.state, v.version
            FROM \(transaction.dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT (ad_id) DO UPDATE SET title = excluded.title, price = excluded.price, state = excluded.state,
              version = excluded.version
            """
        )
    }
}
