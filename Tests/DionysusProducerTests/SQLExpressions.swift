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

    // Through other tables.
    private static let tags = [
        SQLExpression(
            "select count(*) from lodge_tags lt where lt.lodge_id = lodge.id",
            "lodge.id",
            "lodge_tags.lodge_id"
        ),
        SQLExpression(
            "select sum(t.weight) from lodge_tags lt join tags t on t.id = lt.tag_id where lt.lodge_id = lodge.id",
            "lodge.id",
            "lodge_tags.lodge_id",
            "lodge_tags.tag_id",
            "tags.id",
            "tags.weight"
        ),
        SQLExpression(
            "select min(t.label) from tags t where t.id in (select lt.tag_id from lodge_tags lt where lt.lodge_id = lodge.id)",
            "lodge.id",
            "lodge_tags.lodge_id",
            "lodge_tags.tag_id",
            "tags.id",
            "tags.label"
        ),
        SQLExpression(
            "select count(*) from tags t where exists (select 1 from lodge_tags lt where lt.tag_id = t.id and lt.lodge_id = lodge.id)",
            "lodge.id",
            "lodge_tags.lodge_id",
            "lodge_tags.tag_id",
            "tags.id"
        ),
        SQLExpression(
            "select t.label from lodge_tags lt left join tags t on lt.tag_id = t.id where lt.lodge_id = lodge.id order by lt.place, t.id limit 1",
            "lodge.id",
            "lodge_tags.lodge_id",
            "lodge_tags.tag_id",
            "lodge_tags.place",
            "tags.id",
            "tags.label"
        ),
        SQLExpression(
            "select min(g.country) from guests g join stays s on s.guest_id = g.id where s.lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.guest_id",
            "guests.id",
            "guests.country"
        ),
        SQLExpression(
            "select count(*) from stays s, guests g where g.id = s.guest_id and s.lodge_id = lodge.id and g.name <> 'Gil'",
            "lodge.id",
            "stays.lodge_id",
            "stays.guest_id",
            "guests.id",
            "guests.name"
        ),
        SQLExpression(
            """
            select sum(s.price * t.weight) from stays s join lodge_tags lt on lt.lodge_id = s.lodge_id
            join tags t on t.id = lt.tag_id where s.lodge_id = lodge.id
            """,
            "lodge.id",
            "stays.lodge_id",
            "stays.price",
            "lodge_tags.lodge_id",
            "lodge_tags.tag_id",
            "tags.id",
            "tags.weight"
        ),
        SQLExpression(
            "select min(g.name) from guests g where g.id = (select s.guest_id from stays s where s.lodge_id = lodge.id order by s.id limit 1)",
            "lodge.id",
            "stays.id",
            "stays.lodge_id",
            "stays.guest_id",
            "guests.id",
            "guests.name"
        ),
    ]

    // Other rows of the same table.
    private static let others = [
        SQLExpression(
            "select sum(l.price) from lodges l where l.owner_id = lodge.owner_id",
            "lodge.owner_id",
            "lodges.owner_id",
            "lodges.price"
        ),
        SQLExpression(
            "select count(*) from lodges l where l.owner_id = lodge.owner_id and l.rooms > lodge.rooms",
            "lodge.owner_id",
            "lodge.rooms",
            "lodges.owner_id",
            "lodges.rooms"
        ),
        SQLExpression(
            "select sum(s.price) from stays s join lodges l on l.id = s.lodge_id where l.owner_id = lodge.owner_id",
            "lodge.owner_id",
            "stays.lodge_id",
            "stays.price",
            "lodges.id",
            "lodges.owner_id"
        ),
        SQLExpression(
            "select min(l.name) from lodges l join owners o on o.id = l.owner_id where o.id = lodge.owner_id and o.fee > 0",
            "lodge.owner_id",
            "lodges.owner_id",
            "lodges.name",
            "owners.id",
            "owners.fee"
        ),
        SQLExpression("select l.rooms from lodges l where l.id = lodge.id", "lodge.id", "lodges.id", "lodges.rooms"),
    ]

    // What only one of the databases knows.
    private static let special = [
        SQLExpression(
            "select x.price from lateral (select s.price from stays s where s.lodge_id = lodge.id order by s.id limit 1) x",
            "lodge.id",
            "stays.id",
            "stays.lodge_id",
            "stays.price",
            only: .postgres
        ),
        SQLExpression("lodge.settings @> '{\"color\":\"red\"}'", "lodge.settings", only: .postgres),
        SQLExpression("lodge.settings ? 'size'", "lodge.settings", only: .postgres),
        SQLExpression(
            "select json_agg(s.price order by s.id) from stays s where s.lodge_id = lodge.id",
            "lodge.id",
            "stays.id",
            "stays.lodge_id",
            "stays.price",
            only: .postgres
        ),
        SQLExpression(
            "array(select s.nights from stays s where s.lodge_id = lodge.id)",
            "lodge.id",
            "stays.lodge_id",
            "stays.nights",
            only: .postgres
        ),
        SQLExpression(
            "lodge.owner_id = any (select o.id from owners o where o.fee > 15)",
            "lodge.owner_id",
            "owners.id",
            "owners.fee",
            only: .postgres
        ),
        SQLExpression("json_extract(lodge.settings, '$.color')", "lodge.settings", only: .sqlite),
        SQLExpression("select count(*) from json_each(lodge.settings)", "lodge.settings", only: .sqlite),
        SQLExpression(
            "select json_group_array(s.price) from stays s where s.lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.price",
            only: .sqlite
        ),
        SQLExpression(
            "select group_concat(s.nights, ',') from stays s where s.lodge_id = lodge.id",
            "lodge.id",
            "stays.lodge_id",
            "stays.nights",
            only: .sqlite
        ),
        SQLExpression("iif(lodge.rooms > 2, lodge.price, 0)", "lodge.rooms", "lodge.price", only: .sqlite),
        SQLExpression("lodge.rooms | 1", "lodge.rooms"),
    ]
}
