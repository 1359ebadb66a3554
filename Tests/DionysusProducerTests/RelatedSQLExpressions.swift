import TestSupport

extension SQLExpression {
    // Through other tables.
    static let tags = [
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
    static let others = [
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
    static let special = [
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
