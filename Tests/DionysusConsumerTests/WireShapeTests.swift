import Dionysus
import DionysusConsumer
import Foundation
import TestSupport
import Testing

/// From message to record: every shape that a payload can have.
@Suite struct WireShapeTests {
    /// A replica `Thing` with a column of every type.
    private static func things(_ dialect: any SQLDialect, id: ColumnType = .bigint) -> [SQL] {
        let type = { SQL(raw: dialect.columnType($0)) }
        return [
            """
            CREATE TABLE things (
              synced_id \(type(id)) UNIQUE, synced_created_at \(type(.timestamp)), synced_updated_at \(type(.timestamp)),
              synced_version \(type(.bigint)), synced_data \(type(.json)), name \(type(.text)), flag \(type(.boolean)),
              ratio \(type(.double)), amount \(type(.decimal(precision: 38, scale: 4))), quantity \(type(.bigint)),
              document \(type(.json)), happened_at \(raw: dialect.name == "SQLite" ? "TIMESTAMP" : "timestamptz"),
              token \(raw: "uuid"), content \(type(.bytes)), synced_owner_id \(type(.bigint)),
              synced_owner_type \(type(.text)), synced_part_ids \(type(.json)), synced_maker_id \(type(.bigint)))
            """
        ]
    }

    /// Consumes things, and returns the values of columns in the order of the ids, as text.
    private func stored(
        _ kind: TestDatabaseKind,
        _ payloads: [String],
        _ columns: SQL,
        id: ColumnType = .bigint,
        by mirror: Mirror = Mirror(),
        failures: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [String] {
        try await ReplicaHarness.run(kind) { replica in
            for statement in Self.things(replica.database.dialect, id: id) { try await replica.define(statement) }
            try await replica.publish(payloads.map { .event("thing_created", "Thing", $0) })
            try await replica.consume(mirror)
            let failed = try await replica.failures
            #expect(failed.count == failures, "\(failed)", sourceLocation: sourceLocation)
            return try await replica.rows("SELECT \(columns) FROM things ORDER BY synced_id")
        }
    }

    /// Things with ids from one on, each with one more member.
    private func things(_ members: String...) -> [String] {
        members.enumerated().map { #"{"id":\#($0 + 1),\#($1),"links":{}}"# }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `decimals are read from strings and from numbers`(_ kind: TestDatabaseKind) async throws {
        let rows = try await stored(
            kind,
            things(
                #""amount":"150.00""#,
                #""amount":150.00"#,
                #""amount":7"#,
                #""amount":"-0.0001""#,
                #""amount":1.5e2"#,
                #""amount":"0""#,
                #""amount":null"#
            ),
            "amount"
        )
        let expected: [ExactDecimal?] = [150, 150, 7, ExactDecimal("-0.0001"), 150, 0, nil]
        #expect(rows.map { ExactDecimal($0) } == expected)
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what is no decimal number fails, an empty text is none, and an absurd exponent is no more than that`(
        _ kind: TestDatabaseKind
    ) async throws {
        let rows = try await stored(
            kind,
            things(
                #""amount":"1e-9223372036854775808""#,
                #""amount":1e9223372036854775807"#,
                #""amount":"abc""#,
                #""amount":"""#,
                #""amount":true"#,
                #""amount":[1]"#,
                #""ratio":1e999"#,
                #""ratio":"nan""#
            ),
            "synced_id",
            failures: 7
        )
        #expect(rows == ["4"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `integers beyond 64 bits keep every digit in text and JSON, and go into numeric columns`(
        _ kind: TestDatabaseKind
    ) async throws {
        let big = "123456789012345678901234567890"
        let rows = try await stored(
            kind,
            things(#""name":\#(big)"#, #""document":{"n":\#(big)}"#, #""amount":\#(big)"#, #""amount":"\#(big)""#),
            "coalesce(name, CAST(document AS text), CAST(amount AS text))"
        )
        #expect(rows[0] == big)
        #expect(try JSON(parsing: Array(rows[1].utf8))["n"] == .number(big))
        if kind == .postgres {
            #expect(rows[2...].allSatisfy { ExactDecimal($0) == ExactDecimal(big) })
        } else {
            // SQLite keeps 15 digits of a number that does not fit into 64 bits.
            #expect(rows[2...].allSatisfy { $0.hasPrefix("1.23456789012346") && $0.hasSuffix("+29") })
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `integers are read exactly, however they are written, or not at all`(_ kind: TestDatabaseKind) async throws {
        let rows = try await stored(
            kind,
            things(
                #""quantity":9223372036854775807"#,
                #""quantity":-9223372036854775808"#,
                #""quantity":"42""#,
                #""quantity":9007199254740993.0"#,
                #""quantity":1e3"#,
                #""quantity":1.5"#,
                #""quantity":"4x""#,
                #""quantity":9223372036854775808"#
            ),
            "quantity",
            failures: 3
        )
        #expect(
            rows == ["9223372036854775807", "-9223372036854775808", "42", "9007199254740993", "1000"]
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `times have any number of fraction digits and any offset`(_ kind: TestDatabaseKind) async throws {
        let texts = [
            "2026-01-01T12:00:00Z", "2026-01-01T12:00:00.2Z", "2026-01-01T12:00:00.28+00:00",
            "2026-01-01T14:00:00.280+02:00", "2026-01-01T07:30:00.280123-0430", "2026-01-01T12:00:00.280123999Z",
            "2026-01-01 12:00:00.280123 +00".replacing(" +", with: "+"), "2026-01-01T12:00:00.28012345678901234567890Z",
            "2026-01-01",
        ]
        let fractions: [Int64] = [0, 200_000, 280_000, 280_000, 280_123, 280_123, 280_123, 280_123]
        let noon = try #require(Timestamp("2026-01-01T12:00:00Z"))
        let midnight = try #require(Timestamp("2026-01-01T00:00:00Z"))
        let expected = fractions.map { noon.microseconds + $0 } + [midnight.microseconds]
        try await ReplicaHarness.run(kind) { replica in
            for statement in Self.things(replica.database.dialect) { try await replica.define(statement) }
            let payloads = texts.enumerated()
                .map { #"{"id":\#($0),"happened_at":"\#($1)","updated_at":"\#($1)"}"# }
            try await replica.publish(payloads.map { .event("thing_created", "Thing", $0) })
            try await replica.consume()
            #expect(try await replica.failures == [])
            let times = try await replica.database.transaction(.snapshot) { transaction in
                let query: SQL = "SELECT happened_at, synced_updated_at FROM things ORDER BY synced_id"
                return try transaction.run(query).rows.map { [try $0.timestamp(0), try $0.timestamp(1)] }
            }
            // SQLite has no type for times: a text column keeps what the payload says.
            #expect(times.map { $0[0]?.microseconds } == expected)
            #expect(times.map { $0[1]?.microseconds } == expected)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `ids are integers, strings or UUIDs`(_ kind: TestDatabaseKind) async throws {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
        let integers = try await stored(kind, [#"{"id":1}"#, #"{"id":"2"}"#], "synced_id")
        #expect(integers == ["1", "2"])
        let texts = [#"{"id":"a/b"}"#, #"{"id":7,"name":"x"}"#, #"{"id":"7","name":"y"}"#, #"{"id":"Ä ö"}"#]
        let strings = try await stored(kind, texts, "synced_id, name", id: .text)
        #expect(Set(strings) == ["a/b -", "7 y", "Ä ö -"])
        let payloads = [#"{"id":"\#(uuid)","name":"x"}"#, #"{"id":"\#(uuid)","name":"y"}"#]
        let uuids = try await stored(kind, payloads, "synced_id, name", id: .uuid)
        #expect(uuids == ["\(uuid) y"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `text ids that differ only in the way a letter is composed are two records`(
        _ kind: TestDatabaseKind
    ) async throws {
        let (composed, combined) = ("caf\u{e9}", "cafe\u{301}")
        let payloads = [
            #"{"id":"\#(composed)","name":"a"}"#, #"{"id":"\#(combined)","name":"b"}"#,
            #"{"id":"\#(composed)","name":"c"}"#,
        ]
        for isUpdate in [false, true] {
            try await ReplicaHarness.run(kind) { replica in
                for statement in Self.things(replica.database.dialect, id: .text) {
                    try await replica.define(statement)
                }
                let event = isUpdate ? "thing_updated" : "thing_created"
                try await replica.publish(payloads.map { .event(event, "Thing", $0) })
                try await replica.consume()
                #expect(try await replica.failures == [])
                let rows = try await replica.rows("SELECT synced_id, name FROM things ORDER BY name")
                #expect(rows.map { Array($0.utf8) } == ["\(combined) b", "\(composed) c"].map { Array($0.utf8) })
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a text that changes only in the way a letter is composed is written`(_ kind: TestDatabaseKind) async throws {
        let payloads = [#"{"id":1,"name":"caf\#u{e9}"}"#, #"{"id":1,"name":"cafe\#u{301}"}"#]
        try await ReplicaHarness.run(kind) { replica in
            for statement in Self.things(replica.database.dialect) { try await replica.define(statement) }
            try await replica.define("ALTER TABLE things DROP COLUMN synced_data")
            for payload in payloads {
                try await replica.publish(.event("thing_updated", "Thing", payload))
                try await replica.consume()
            }
            #expect(try await replica.failures == [])
            let rows = try await replica.rows("SELECT name FROM things")
            #expect(rows.map { Array($0.utf8) } == [Array("cafe\u{301}".utf8)])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `booleans, binary, UUIDs and numbers find columns of their types`(_ kind: TestDatabaseKind) async throws {
        let uuid = "0F8FAD5B-D9CB-469F-A165-70867728950E"
        let flags = try await stored(
            kind,
            things(#""flag":true"#, #""flag":0"#, #""flag":"true""#, #""flag":null"#, #""flag":2"#),
            "CASE WHEN flag THEN 'yes' WHEN NOT flag THEN 'no' END",
            failures: 1
        )
        #expect(flags == ["yes", "no", "yes", "-"])
        let others = try await stored(
            kind,
            things(
                #""content":"aGVsbG8=""#,
                #""token":"\#(uuid)""#,
                #""ratio":0.1"#,
                #""ratio":"2.5""#,
                #""content":"?""#,
                #""token":"x""#
            ),
            "content, token, ratio",
            failures: 2
        )
        #expect(others == ["hello - -", "- \(uuid.lowercased()) -", "- - 0.1", "- - 2.5"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `objects, lists and scalars go into JSON columns as they are, and into text columns as JSON`(
        _ kind: TestDatabaseKind
    ) async throws {
        let values = [#"{"b":[1,{"a":null}]}"#, #"["x",2.50]"#, #""text""#, "true", "12", "null"]
        for column in ["document", "name"] {
            let members = values.map { #""\#(column)":\#($0)"# }
            let payloads = members.enumerated().map { #"{"id":\#($0),\#($1)}"# }
            let rows = try await stored(kind, payloads, "\(identifier: column)")
            let expected = column == "name" ? values.map { $0 == #""text""# ? "text" : $0 } : values
            for (row, value) in zip(rows, expected) {
                guard value != "null", column == "document" else {
                    #expect(row == (value == "null" ? "-" : value))
                    continue
                }
                #expect(try Self.plain(row) == Self.plain(value))
            }
            #expect(rows.count == values.count)
        }
    }

    /// JSON without white space, numbers as they are.
    private static func plain(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

    @Test(arguments: TestDatabaseKind.available)
    func `links give ids, ids with types, and lists of ids; null clears them`(_ kind: TestDatabaseKind) async throws {
        let columns: SQL = "synced_maker_id, synced_owner_id, synced_owner_type, CAST(synced_part_ids AS text)"
        func thing(_ links: String) -> String { #"{"id":1,"links":{\#(links)}}"# }
        let full = #""maker":5,"owner":{"id":6,"type":"User"},"parts":[7,8]"#
        for (links, expected) in [
            ([full], "5 6 User [7,8]"),
            ([full, #""maker":null,"owner":null,"parts":[]"#], "- - - []"),
            ([full, #""owner":{"id":9,"type":"Team"}"#], "5 9 Team [7,8]"),
            ([full, #""owner":9"#], "5 9 - [7,8]"),
            ([full, ""], "5 6 User [7,8]"),
        ] {
            let rows = try await stored(kind, links.map(thing), columns)
            #expect(rows.map { $0.replacing("[7, 8]", with: "[7,8]") } == [expected])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `links may be missing, null or empty, but nothing else`(_ kind: TestDatabaseKind) async throws {
        let rows = try await stored(
            kind,
            [
                #"{"id":1}"#, #"{"id":2,"links":null}"#, #"{"id":3,"links":{}}"#, #"{"id":4,"links":[]}"#,
                #"{"id":5,"links":"x"}"#,
            ],
            "synced_id",
            failures: 1
        )
        #expect(rows == ["1", "2", "3", "4"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `members that come twice count as their last, and do no harm`(_ kind: TestDatabaseKind) async throws {
        let rows = try await stored(
            kind,
            [
                #"{"id":9,"name":"a","id":1,"name":"b"}"#,
                #"{"id":2,"links":{},"links":{"maker":5}}"#,
                #"{"id":3,"links":{"maker":5},"links":null}"#,
                #"{"id":4,"links":{"maker":5,"maker":6}}"#,
            ],
            "synced_id, name, synced_maker_id"
        )
        #expect(rows == ["1 b -", "2 - 5", "3 - -", "4 - 6"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `what has no column is kept with the whole payload, under the names it has here`(
        _ kind: TestDatabaseKind
    ) async throws {
        let payload = """
            {"id":1,"name":"a","color":{"r":1},"updated_at":"2026-01-01T00:00:00.5+01:00",\
            "links":{"owner":{"id":6,"type":"User"},"wheels":[1],"house":null},"wheels":[{"id":1}]}
            """
        let rows = try await stored(kind, [payload], "synced_data")
        let data = try Self.plain(try #require(rows.first))
        let expected = """
            {"synced_id":1,"name":"a","color":{"r":1},"synced_updated_at":"2026-01-01T00:00:00.5+01:00",\
            "synced_owner_id":6,"synced_owner_type":"User","synced_wheel_ids":[1],"synced_house_id":null}
            """
        guard case .object(let found) = data, case .object(let wanted) = try Self.plain(expected) else {
            Issue.record("the payload is stored as an object")
            return
        }
        #expect(
            Dictionary(found.members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
                == Dictionary(wanted.members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `the replica's own columns can have other names`(_ kind: TestDatabaseKind) async throws {
        var settings = ConsumerSettings.forTests
        settings.columns.prefix = "remote_"
        settings.columns.id = "remote_key"
        settings.columns.updatedAt = "changed_there"
        settings.columns.canceledAt = "gone"
        settings.columns.version = "revision"
        settings.columns.data = "everything"
        settings.columns.localUpdatedAt = "changed_here"
        settings.softDeleteAttribute = "deleted_at"
        let mirror = Declared([ConsumerTopic("rentals", accepting: ["Thing"])])
        try await ReplicaHarness.run(kind) { [settings] replica in
            let type = { SQL(raw: replica.database.dialect.columnType($0)) }
            try await replica.define(
                """
                CREATE TABLE things (remote_key bigint UNIQUE, changed_there \(type(.timestamp)), gone \(type(.timestamp)),
                  revision bigint, everything \(type(.json)), changed_here \(type(.timestamp)), name text,
                  canceled_at text, remote_maker_id bigint)
                """
            )
            let payload = """
                {"id":1,"name":"a","updated_at":"\(days[1])","deleted_at":"\(days[2])","canceled_at":"plain",\
                "color":"red","links":{"maker":4}}
                """
            try await replica.publish(.event("thing_destroyed", "Thing", payload, version: 8))
            try await replica.consume(mirror, settings: settings)
            #expect(try await replica.failures == [])
            let rows = try await replica.rows(
                """
                SELECT remote_key, changed_there, gone, revision, name, canceled_at, remote_maker_id,
                  changed_here IS NOT NULL AND everything IS NOT NULL
                FROM things
                """
            )
            let isThere = kind == .postgres ? "true" : "1"
            #expect(rows == ["1 \(days[1]) \(days[2]) 8 a plain 4 \(isThere)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `attributes and links can be renamed for one model`(_ kind: TestDatabaseKind) async throws {
        var mirror = Mirror()
        mirror.replicas = [
            Persist("Thing", table: "things").renaming("title", to: "name")
                .renaming("synced_seller_id", to: "synced_maker_id").element
        ]
        let rows = try await stored(
            kind,
            [#"{"id":1,"title":"t","links":{"seller":3}}"#],
            "name, synced_maker_id",
            by: mirror
        )
        #expect(rows == ["t 3"])
    }

    @Test(arguments: TestDatabaseKind.available)
    func `generated columns are left to the database`(_ kind: TestDatabaseKind) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.define(
                """
                CREATE TABLE things (id \(raw: replica.database.dialect.columnType(.identity)),
                  synced_id bigint UNIQUE, name text,
                  loud text GENERATED ALWAYS AS (upper(name)) STORED)
                """
            )
            for name in ["a", "b"] {
                let payload = #"{"id":1,"name":"\#(name)","loud":"no"}"#
                try await replica.publish(.event("thing_updated", "Thing", payload))
                try await replica.consume()
            }
            #expect(try await replica.rows("SELECT name, loud FROM things") == ["b B"])
            #expect(try await replica.failures == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a message can hold several events, and an event several payloads`(_ kind: TestDatabaseKind) async throws {
        let value = """
            {"message":[{"event":"rental_created","model_name":"Rental","data":[{"id":1,"name":"a"},{"id":2,"name":"b"}]},\
            {"event":"account_created","model_name":"Account","data":[{"id":9}]},\
            {"event":"rental_destroyed","model_name":"Rental","data":[{"id":1}]},\
            {"event":"rental_updated","model_name":"Rental","data":[]}]}
            """
        try await expectReplica(
            kind,
            [WireMessage("v3_rentals", value: value), WireMessage("v3_rentals", value: #"{"message":[]}"#)],
            gives: ["2", "9"],
            in: "SELECT synced_id FROM rentals UNION ALL SELECT synced_id FROM accounts ORDER BY 1"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `unknown events and models are skipped, whatever they hold`(_ kind: TestDatabaseKind) async throws {
        let other = #"{"message":[{"event":"rental_exploded","model_name":"Rental","data":[7,"x"]}]}"#
        try await expectReplica(
            kind,
            [
                .event("spaceship_created", "Spaceship", #"{"id":1,"links":{"crew":[1]},"crew":[{"id":1}]}"#),
                .event("x_created", "'; DROP TABLE rentals; --", #"{"id":1}"#),
                .event("x_created", "", #"{"id":1}"#),
                .event("pg_class_created", "PgClass", #"{"id":1}"#),
                .event("created", "Rental", #"{"id":1}"#),
                WireMessage("v3_rentals", value: other),
                .rental(.created, 2, name: "b"),
            ],
            gives: ["2 b"]
        )
    }
}

/// Records that came along in others.
@Suite struct SideloadTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a sideloaded record is kept, to-one as to-many`(_ kind: TestDatabaseKind) async throws {
        let payload = """
            {"id":1,"name":"villa","links":{"account":5,"bookings":[7,8]},"account":{"id":5,"name":"Ada"},\
            "bookings":[{"id":7,"links":{"rental":1}},{"id":8,"links":{"rental":1}}]}
            """
        try await expectReplica(
            kind,
            [.event("rental_created", "Rental", payload, version: 3)],
            gives: ["Ada 5 3", "villa 7 3", "villa 8 3"],
            in: """
                SELECT a.name, a.synced_id, a.synced_version FROM accounts a
                UNION ALL SELECT r.name, b.synced_id, b.synced_version
                FROM bookings b JOIN rentals r ON r.synced_id = b.synced_rental_id ORDER BY 1, 2
                """
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `sideloads can be nested at several levels`(_ kind: TestDatabaseKind) async throws {
        let payload = """
            {"id":1,"links":{"rentals":[2]},"rentals":[{"id":2,"links":{"account":1,"bookings":[3]},"bookings":[\
            {"id":3,"links":{"rental":2,"bookings_fees":[4]},"bookings_fees":[{"id":4,"links":{"booking":3}}]}]}]}
            """
        try await expectReplica(
            kind,
            [.event("account_created", "Account", payload, version: 3)],
            gives: ["1 2 3 4"],
            in: """
                SELECT a.synced_id, r.synced_id, b.synced_id, f.synced_id FROM accounts a
                JOIN rentals r ON r.synced_account_id = a.synced_id JOIN bookings b ON b.synced_rental_id = r.synced_id
                JOIN bookings_fees f ON f.synced_booking_id = b.synced_id
                """
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a polymorphic sideload goes by the type that its link names`(_ kind: TestDatabaseKind) async throws {
        func booking(_ id: Int, _ owner: String, _ record: String) -> WireMessage {
            .event("booking_created", "Booking", #"{"id":\#(id),"links":{"owner":\#(owner)},"owner":\#(record)}"#)
        }
        try await expectReplica(
            kind,
            [
                booking(1, #"{"id":5,"type":"Account"}"#, #"{"id":5,"name":"Ada"}"#),
                booking(2, #"{"id":5,"type":"Rental"}"#, #"{"id":5,"name":"villa"}"#),
                booking(3, #"{"id":5,"type":"Spaceship"}"#, #"{"id":5,"name":"Apollo"}"#),
                booking(4, #"{"id":6,"type":"Account"}"#, "null"),
                booking(5, "null", "null"),
            ],
            gives: ["Ada", "villa"],
            in: "SELECT name FROM accounts UNION ALL SELECT name FROM rentals ORDER BY name"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a sideload whose link is null is no record`(_ kind: TestDatabaseKind) async throws {
        try await expectReplica(
            kind,
            [.event("rental_created", "Rental", #"{"id":1,"links":{"account":null},"account":null}"#)],
            gives: ["1 - 0"],
            in: "SELECT synced_id, synced_account_id, (SELECT count(*) FROM accounts) FROM rentals"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a link and a member that don't fit together fail their message alone`(_ kind: TestDatabaseKind) async throws {
        let misfits = [
            #""links":{"account":1},"account":"Bob""#, #""links":{"account":1},"account":[{"id":1}]"#,
            #""links":{"bookings":[1]},"bookings":{"id":1}"#, #""links":{"bookings":[1]},"bookings":[1]"#,
            #""links":{"owner":{"id":1}},"owner":{"id":1}"#,
        ]
        // The record itself is one that can be kept.
        let nameless = #"{"id":3,"links":{"account":1},"account":{"name":"no id"}}"#
        try await ReplicaHarness.run(kind) { replica in
            let messages = misfits.map { WireMessage.event("rental_created", "Rental", #"{"id":1,\#($0)}"#) }
            try await replica.publish(
                messages + [.rental(.created, 2, name: "b"), .event("rental_created", "Rental", nameless)]
            )
            try await replica.consume()
            #expect(try await replica.rows(rentalNames) == ["2 b", "3 -"])
            #expect(try await replica.failures.count == misfits.count + 1)
            #expect(try await replica.rows("SELECT count(*) FROM accounts") == ["0"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `records can be sideloaded in 32 levels, and values nested as deep as the parser reads`(
        _ kind: TestDatabaseKind
    ) async throws {
        func records(_ depth: Int) -> String {
            let start = String(repeating: #"{"id":1,"links":{"account":1},"account":"#, count: depth)
            return start + #"{"id":1,"name":"inmost"}"# + String(repeating: "}", count: depth)
        }
        func values(_ depth: Int) -> String {
            let document = String(repeating: #"{"a":["#, count: depth / 2) + String(repeating: "]}", count: depth / 2)
            return #"{"id":2,"name":\#(document),"color":\#(document)}"#
        }
        try await ReplicaHarness.run(kind) { replica in
            try await replica.publish(
                [records(32), records(33), records(500), values(500), values(600)]
                    .map { .event("account_created", "Account", $0) }
            )
            try await replica.consume()
            let rows = try await replica.rows("SELECT synced_id, length(name) FROM accounts ORDER BY synced_id")
            #expect(rows == ["1 6", "2 2000"])
            #expect(try await replica.failures.count == 3)
        }
    }
}
