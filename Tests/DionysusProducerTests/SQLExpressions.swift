import TestSupport

/// An expression about lodges, and what it reads.
struct SQLExpression: Sendable, CustomStringConvertible {
    let sql: String
    /// The columns by table; `lodge` is the record's own row.
    let reads: [String: Set<String>]
    /// The database that alone knows what it says; nil for all.
    var only: TestDatabaseKind?

    var description: String { sql }

    /// - Parameter reads: `stays.lodge_id`; a table alone for rows of which no column is read.
    init(_ sql: String, _ reads: String..., only: TestDatabaseKind? = nil) {
        self.sql = sql
        self.only = only
        var columns: [String: Set<String>] = [:]
        for read in reads {
            let parts = read.split(separator: ".").map(String.init)
            columns[parts[0], default: []].formUnion(parts.dropFirst())
        }
        self.reads = columns
    }

    static func all(_ kind: TestDatabaseKind) -> [SQLExpression] { all.filter { $0.only == nil || $0.only == kind } }

    private static let all: [SQLExpression] = own + owners + stays + views + tags + others + special

    // The record's own row.
    private static let own = [
        SQLExpression("lodge.price", "lodge.price"),
        SQLExpression("lodge.price * lodge.rooms", "lodge.price", "lodge.rooms"),
        SQLExpression("upper(lodge.name) || '!'", "lodge.name"),
        SQLExpression("case when lodge.rooms > 2 then 'large' else lodge.name end", "lodge.rooms", "lodge.name"),
        SQLExpression("coalesce(lodge.settings ->> 'color', 'none')", "lodge.settings"),
        SQLExpression("lodge.rooms between 1 and 3", "lodge.rooms"),
        SQLExpression("select lodge.rooms + 1", "lodge.rooms"),
        SQLExpression("42"),
        SQLExpression("lodge.rooms % 2 = 0", "lodge.rooms"),
        SQLExpression("nullif(lodge.name, 'Alm') is null", "lodge.name"),
        SQLExpression("rooms", "lodge.rooms"),
        SQLExpression("lodge.\"price\" /* of lodge.rooms */ -- lodge.name", "lodge.price"),
    ]

    // The record that it belongs to.
    private static let owners = [
        SQLExpression(
            "select o.name from owners o where o.id = lodge.owner_id",
            "lodge.owner_id",
            "owners.id",
            "owners.name"
        ),
        SQLExpression(
            "select o.fee * lodge.rooms from owners o where lodge.owner_id = o.id",
            "lodge.owner_id",
            "lodge.rooms",
            "owners.id",
            "owners.fee"
        ),
        SQLExpression(
            "case when exists (select 1 from owners o where o.id = lodge.owner_id and o.region = 'north') then 1 else 0 end",
            "lodge.owner_id",
            "owners.id",
            "owners.region"
        ),
        SQLExpression(
            "lodge.owner_id in (select owners.id from owners where fee > 15)",
            "lodge.owner_id",
            "owners.id",
            "owners.fee"
        ),
        SQLExpression(
            "select coalesce(o.region, o.name) from owners o where o.id = lodge.owner_id limit 1",
            "lodge.owner_id",
            "owners.id",
            "owners.region",
            "owners.name"
        ),
    ]

    // The records that belong to it.
    private static let stays = [
        SQLExpression("select count(*) from stays s where s.lodge_id = lodge.id", "lodge.id", "stays.lodge_id"),
        SQLExpression(
            "select count(*) from stays s where s.lodge_id = lodge.id and s.gone_at is null",
            "lodge.id",
            "stays.lodge_id",
            "stays.gone_at"
        ),
        SQLExpression(
            "select sum(price) from stays where lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.price"
        ),
        SQLExpression(
            "select sum(s.price * s.nights) from stays s where lodge.id = s.lodge_id",
            "lodge.id",
            "stays.lodge_id",
            "stays.price",
            "stays.nights"
        ),
        SQLExpression(
            "select max(s.price) filter (where s.nights > 1) from stays s where s.lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.price",
            "stays.nights"
        ),
        SQLExpression("exists (select 1 from stays s where s.lodge_id = lodge.id)", "lodge.id", "stays.lodge_id"),
        SQLExpression("not exists (select 1 from stays s where s.lodge_id = lodge.id)", "lodge.id", "stays.lodge_id"),
        SQLExpression(
            "lodge.id in (select s.lodge_id from stays s where s.note is not null)",
            "lodge.id",
            "stays.lodge_id",
            "stays.note"
        ),
        SQLExpression(
            "lodge.id not in (select s.lodge_id from stays s where s.price > 60)",
            "lodge.id",
            "stays.lodge_id",
            "stays.price"
        ),
        SQLExpression(
            "select s.price from stays s where s.lodge_id = lodge.id order by s.nights desc, s.id limit 1",
            "lodge.id",
            "stays.lodge_id",
            "stays.price",
            "stays.nights",
            "stays.id"
        ),
        SQLExpression(
            "select count(distinct s.guest_id) from stays s where s.lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.guest_id"
        ),
        SQLExpression(
            "select count(*) from (select s.guest_id from stays s where s.lodge_id = lodge.id group by s.guest_id having sum(s.price) > 60) g",
            "lodge.id",
            "stays.lodge_id",
            "stays.guest_id",
            "stays.price"
        ),
        SQLExpression(
            "with s as (select x.price from stays x where x.lodge_id = lodge.id) select avg(price) from s",
            "lodge.id",
            "stays.lodge_id",
            "stays.price"
        ),
        SQLExpression(
            "with s as (select x.price from stays x where x.lodge_id = lodge.id), t as (select price * 2 as p from s) select sum(p) from t",
            "lodge.id",
            "stays.lodge_id",
            "stays.price"
        ),
        SQLExpression(
            """
            select max(n) from (
              select row_number() over (order by s.price) as n from stays s where s.lodge_id = lodge.id and s.nights > 0
            ) ranked
            """,
            "lodge.id",
            "stays.lodge_id",
            "stays.price",
            "stays.nights"
        ),
        SQLExpression(
            "select sum(p) from (select s.price as p from stays s where s.lodge_id = lodge.id union all select lodge.rooms) b",
            "lodge.id",
            "lodge.rooms",
            "stays.lodge_id",
            "stays.price"
        ),
        SQLExpression(
            "(select count(*) from stays s where s.lodge_id = lodge.id) + (select o.fee from owners o where o.id = lodge.owner_id)",
            "lodge.id",
            "lodge.owner_id",
            "stays.lodge_id",
            "owners.id",
            "owners.fee"
        ),
        SQLExpression(
            "coalesce((select sum(s.price) from stays s where s.lodge_id = lodge.id), lodge.price)",
            "lodge.id",
            "lodge.price",
            "stays.lodge_id",
            "stays.price"
        ),
        SQLExpression(
            "select count(*) from stays s where s.lodge_id = lodge.id and s.note like lodge.name || '%'",
            "lodge.id",
            "lodge.name",
            "stays.lodge_id",
            "stays.note"
        ),
        SQLExpression(
            "select count(*) from stays s where s.former_lodge_id = lodge.id",
            "lodge.id",
            "stays.former_lodge_id"
        ),
        SQLExpression(
            "select count(*) from stays s where s.lodge_id = lodge.id or s.former_lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.former_lodge_id"
        ),
    ]

    // Views: all that they read counts.
    private static let views = [
        SQLExpression(
            "select count(*) from open_stays o where o.lodge_id = lodge.id",
            "lodge.id",
            "stays.id",
            "stays.lodge_id",
            "stays.price",
            "stays.gone_at"
        ),
        SQLExpression(
            "select sum(o.price) from open_stays o where o.lodge_id = lodge.id",
            "lodge.id",
            "stays.id",
            "stays.lodge_id",
            "stays.price",
            "stays.gone_at"
        ),
        SQLExpression(
            "select t.total from lodge_totals t where t.lodge_id = lodge.id",
            "lodge.id",
            "stays.id",
            "stays.lodge_id",
            "stays.price",
            "stays.gone_at"
        ),
    ]
}
