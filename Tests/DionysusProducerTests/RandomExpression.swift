import Dionysus
import TestSupport

/// Expressions about lodges, and changes of what they may read, put together at random.
enum RandomExpression {
    static func make(using generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<9, using: &generator) {
        case 4:
            "with part as (\(query(using: &generator, as: "value"))) select case when part.value > lodge.rooms then part.value end from part"
        case 5:
            "lodge.rooms * coalesce((\(query(using: &generator))), 1) - (select count(*) from (\(query(using: &generator, as: "value"))) t)"
        case 6:
            "(select case when exists (select 1 from \(source(using: &generator))) then (\(query(using: &generator))) else 0 end)"
        case 0: "coalesce((\(query(using: &generator))), lodge.rooms)"
        case 1: "(\(query(using: &generator))) + coalesce((\(query(using: &generator))), 0)"
        case 2: "case when (\(query(using: &generator))) > lodge.price then 1 else lodge.owner_id end"
        case 3: "exists (select 1 from \(source(using: &generator)))"
        default: query(using: &generator)
        }
    }

    private static func query(using generator: inout SeededGenerator, as name: String = "answer") -> String {
        let source = source(using: &generator)
        let alias = source.split(separator: " ")[1]
        let numbers = ["s": ["s.price", "s.nights"], "o": ["o.fee"], "t": ["t.weight"], "l": ["l.rooms", "l.price"]]
        let number = numbers[String(alias)]?.randomElement(using: &generator) ?? "1"
        let aggregates = [
            "sum(\(number))", "max(\(number))", "count(*)", "count(distinct \(number))", "min(\(number))",
        ]
        return "select \(aggregates.randomElement(using: &generator) ?? "count(*)") as \(name) from \(source)"
    }

    /// Tables with how they belong to the lodge, and conditions.
    private static func source(using generator: inout SeededGenerator) -> String {
        let sources: [(String, [String])] = [
            (
                "stays s where s.lodge_id = lodge.id",
                ["s.price > 60", "s.gone_at is null", "s.note is not null", "s.nights < 3"]
            ),
            ("stays s where s.former_lodge_id = lodge.id", ["s.price > 60", "s.lodge_id <> lodge.id"]),
            (
                "stays s join guests g on g.id = s.guest_id where s.lodge_id = lodge.id",
                ["g.country = 'NO'", "g.name < 'H'", "s.price > 60"]
            ),
            ("owners o where o.id = lodge.owner_id", ["o.fee > 15", "o.region = 'north'"]),
            (
                "tags t join lodge_tags lt on lt.tag_id = t.id where lt.lodge_id = lodge.id",
                ["t.weight > 1", "lt.place = 0"]
            ),
            (
                "lodges l where l.owner_id = lodge.owner_id",
                ["l.rooms > 1", "l.id <> lodge.id", "l.price < lodge.price"]
            ),
            (
                "stays s join lodges l on l.id = s.lodge_id where l.owner_id = lodge.owner_id",
                ["l.id <> lodge.id", "s.price > 60"]
            ),
            ("stays s where (s.lodge_id = lodge.id or s.former_lodge_id = lodge.id)", ["s.nights > 1"]),
            ("open_stays s where s.lodge_id = lodge.id", ["s.price > 60"]),
            (
                "stays s left join guests g on g.id = s.guest_id where s.lodge_id = lodge.id",
                ["coalesce(g.country, 'NO') = 'NO'", "s.nights > 1"]
            ),
            (
                "stays s where s.lodge_id = lodge.id and exists (select 1 from guests g where g.id = s.guest_id and g.country = 'NO')",
                ["s.price > 60"]
            ),
            (
                "owners o join lodges n on n.owner_id = o.id where o.id = lodge.owner_id",
                ["n.rooms > 1", "o.fee > 15", "n.price > lodge.price"]
            ),
        ]
        let (source, conditions) = sources[Int.random(in: 0..<sources.count, using: &generator)]
        let isOpen = source.hasPrefix("open_stays")
        let chosen = conditions.filter { _ in Bool.random(using: &generator) }
        let text = ([source] + chosen).joined(separator: " and ")
        return isOpen
            ? text.replacing("open_stays s", with: "(select id, lodge_id, price, 1 as nights from open_stays) s") : text
    }

    /// - Parameter number: The change's place in its series, which distinguishes the rows that it inserts.
    static func change(number place: Int, using generator: inout SeededGenerator) -> SQL {
        func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }
        let (id, lodge, value) = (number(1..<4), number(1..<4), number(0..<120))
        switch number(0..<20) {
        case 0: return "UPDATE stays SET price = \(value) WHERE id = \(id)"
        case 1: return "UPDATE stays SET lodge_id = \(lodge) WHERE id = \(id)"
        case 2: return "UPDATE stays SET former_lodge_id = \(lodge) WHERE id = \(id)"
        case 3: return "UPDATE stays SET gone_at = '2026-01-01 00:00:00' WHERE id = \(id)"
        case 4: return "UPDATE stays SET nights = \(number(1..<5)), note = 'n' WHERE id >= \(id)"
        case 5: return "DELETE FROM stays WHERE id = \(id)"
        case 6: return "INSERT INTO stays (id, lodge_id, guest_id, price) VALUES (\(10 + place), \(lodge), 1, \(value))"
        case 7: return "UPDATE owners SET fee = \(value) WHERE id = \(number(1..<3))"
        case 8: return "UPDATE owners SET region = 'south'"
        case 9: return "UPDATE lodges SET owner_id = \(number(1..<3)) WHERE id = \(lodge)"
        case 10: return "UPDATE lodges SET rooms = \(number(1..<5)) WHERE id = \(lodge)"
        case 11: return "UPDATE lodges SET price = \(value) WHERE id = \(lodge)"
        case 12: return "UPDATE guests SET country = 'NO', name = 'Zed'"
        case 13: return "UPDATE tags SET weight = \(number(1..<5)) WHERE id = \(number(1..<3))"
        case 14: return "DELETE FROM lodge_tags WHERE id = \(id)"
        case 15: return "UPDATE lodge_tags SET lodge_id = \(lodge), place = \(number(0..<2)) WHERE id = \(id)"
        case 16: return "INSERT INTO lodge_tags (id, lodge_id, tag_id, place) VALUES (\(10 + place), \(lodge), 1, 0)"
        case 17: return "UPDATE stays SET former_lodge_id = NULL WHERE id = \(id)"
        case 18:
            return "INSERT INTO lodges (id, name, owner_id, price, rooms) VALUES (\(20 + place), 'New', 1, \(value), 2)"
        default: return "UPDATE stays SET guest_id = \(number(1..<3)) WHERE id = \(id)"
        }
    }
}
