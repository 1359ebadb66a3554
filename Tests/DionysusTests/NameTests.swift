import Dionysus
import Testing

@Suite struct NameTests {
    @Test(
        "names become snake case",
        arguments: [
            ("BookingsFee", "bookings_fee"), ("accountID", "account_id"), ("HTTPServer", "http_server"),
            ("Rental", "rental"),
        ]
    )
    func underscored(_ name: String, _ expected: String) {
        #expect(Inflection.underscored(name) == expected)
    }

    @Test(
        "singulars become plurals",
        arguments: [
            ("bookings_fee", "bookings_fees"), ("tax", "taxes"), ("category", "categories"), ("day", "days"),
            ("person", "people"), ("bus", "buses"), ("address", "addresses"), ("analysis", "analyses"),
        ]
    )
    func plural(_ singular: String, _ expected: String) {
        #expect(Inflection().plural(of: singular) == expected)
    }

    @Test("irregular plurals can be registered")
    func irregular() {
        #expect(Inflection(irregulars: ["cactus": "cacti"]).plural(of: "green_cactus") == "green_cacti")
    }

    @Test("event names are parsed, and other names are rejected")
    func events() {
        #expect(EventName("bookings_fee_destroyed") == EventName("bookings_fee", .destroyed))
        #expect(EventName("rental_exploded") == nil)
        #expect(EventName("created") == nil)
    }

    @Test("keys map to the same partitions as in Ruby's and Java's clients")
    func partitions() {
        #expect(Partitioner.crc32.partition(of: Array("1".utf8), partitions: 4) == 3)
        // From the Java client's own test of its hash.
        #expect(
            Partitioner.murmur2.partition(of: Array("21".utf8), partitions: .max) == (-973_932_308 & 0x7fff_ffff)
                % Int32.max
        )
        #expect(
            Partitioner.murmur2.partition(of: Array("foobar".utf8), partitions: .max) == (-790_332_482 & 0x7fff_ffff)
                % Int32.max
        )
    }
}
