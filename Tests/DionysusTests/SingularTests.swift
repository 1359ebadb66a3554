import Dionysus
import Testing

@Suite struct SingularTests {
    @Test(arguments: [
        ("bookings_fees", "bookings_fee"), ("taxes", "tax"), ("companies", "company"), ("addresses", "address"),
        ("houses", "house"), ("statuses", "status"), ("branches", "branch"), ("people", "person"),
        ("analyses", "analysis"), ("archives", "archive"), ("equipment", "equipment"), ("keys", "key"),
        ("wishes", "wish"), ("expenses", "expense"),
    ])
    func `a plural leads back to its singular`(_ plural: String, _ singular: String) {
        #expect(Inflection().singular(of: plural) == singular)
        #expect(Inflection().plural(of: singular) == plural)
    }

    @Test func `a registered plural leads back to its singular`() {
        #expect(Inflection(irregulars: ["datum": "data"]).singular(of: "raw_data") == "raw_datum")
    }

    @Test func `a name in snake case becomes the name of a type`() {
        #expect(Inflection.camelized("bookings_fee") == "BookingsFee")
    }
}
