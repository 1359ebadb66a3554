import Dionysus
import DionysusConsumer
import DionysusSchemas
import TestSupport
import Testing

/// Rows that Debezium publishes arrive in replicas.
@Suite
struct DebeziumTests {
    private static let fields = """
        [{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":false,"field":"first_name"},
         {"type":"string","optional":false,"field":"email"},
         {"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,
          "parameters":{"scale":"2","connect.decimal.precision":"12"},"field":"credit"},
         {"type":"int32","optional":true,"name":"io.debezium.time.Date","version":1,"field":"born"},
         {"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,"field":"joined_at"},
         {"type":"int64","optional":true,"name":"io.debezium.time.MicroTime","version":1,"field":"opens"},
         {"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":"profile"}]
        """

    /// The schema of changes, as Kafka Connect's converter writes it beside each.
    private static let schema = """
        {"type":"struct","fields":[
         {"type":"struct","fields":\(fields),"optional":true,"name":"dbserver1.public.customers.Value","field":"before"},
         {"type":"struct","fields":\(fields),"optional":true,"name":"dbserver1.public.customers.Value","field":"after"},
         {"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},
          {"type":"int64","optional":true,"field":"lsn"}],"optional":false,
          "name":"io.debezium.connector.postgresql.Source","field":"source"},
         {"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],
         "optional":false,"name":"dbserver1.public.customers.Envelope"}
        """

    private static func source(_ lsn: Int, snapshot: String = "false") -> String {
        """
        {"version":"3.0.0.Final","connector":"postgresql","name":"dbserver1","ts_ms":1559033904863,"snapshot":"\(snapshot)",
         "db":"postgres","sequence":"[\\"24023119\\",\\"\(lsn)\\"]","schema":"public","table":"customers","txId":555,
         "lsn":\(lsn),"xmin":null}
        """
    }

    private static func change(
        _ operation: String,
        before: String = "null",
        after: String = "null",
        lsn: Int,
        hasSchema: Bool = true,
        source: String? = nil
    ) -> String {
        let payload = """
            {"before":\(before),"after":\(after),"source":\(source ?? self.source(lsn)),"op":"\(operation)","ts_ms":1559033904900,
             "transaction":null}
            """
        return hasSchema ? #"{"schema":\#(schema),"payload":\#(payload)}"# : payload
    }

    private static func key(_ id: Int, hasSchema: Bool = true) -> String {
        let schema =
            #"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":"k"}"#
        return hasSchema ? #"{"schema":\#(schema),"payload":{"id":\#(id)}}"# : #"{"id":\#(id)}"#
    }

    private static func row(_ id: Int, _ name: String, _ more: String = "") -> String {
        #"{"id":\#(id),"first_name":"\#(name)","email":"\#(name)@example.org"\#(more)}"#
    }

    @Test("rows are read, created, changed and end", arguments: TestDatabaseKind.available, [true, false])
    func operations(_ kind: TestDatabaseKind, hasSchema: Bool) async throws {
        try await DebeziumTrial.run(kind) { trial in
            let key = Self.key(1, hasSchema: hasSchema)
            try await trial.read(
                (key, Self.change("r", after: Self.row(1, "Anne"), lsn: 100, hasSchema: hasSchema)),
                (
                    Self.key(2, hasSchema: hasSchema),
                    Self.change("c", after: Self.row(2, "Bob"), lsn: 110, hasSchema: hasSchema)
                )
            )
            #expect(try await trial.customers() == ["1 Anne Anne@example.org 100", "2 Bob Bob@example.org 110"])
            try await trial.read(
                (
                    key,
                    Self.change(
                        "u",
                        before: #"{"id":1,"first_name":null,"email":null}"#,
                        after: Self.row(1, "Anna"),
                        lsn: 120,
                        hasSchema: hasSchema
                    )
                ),
                (
                    Self.key(2, hasSchema: hasSchema),
                    Self.change("d", before: #"{"id":2,"first_name":"","email":""}"#, lsn: 130, hasSchema: hasSchema)
                ),
                (Self.key(2, hasSchema: hasSchema), nil)
            )
            #expect(try await trial.customers() == ["1 Anna Anna@example.org 120"])
            // After compaction only the message without a value is left.
            try await trial.read((key, hasSchema ? #"{"schema":null,"payload":null}"# : nil))
            #expect(try await trial.customers() == [])
            #expect(try await trial.failures() == [])
        }
    }

    @Test("the place in the source's log decides what is newer", arguments: TestDatabaseKind.available)
    func order(_ kind: TestDatabaseKind) async throws {
        try await DebeziumTrial.run(kind) { trial in
            let key = Self.key(1)
            try await trial.read(
                (key, Self.change("c", after: Self.row(1, "first"), lsn: 200)),
                (key, Self.change("u", after: Self.row(1, "second"), lsn: 210))
            )
            // A connector that was killed writes what it has written before.
            try await trial.read((key, Self.change("c", after: Self.row(1, "first"), lsn: 200)))
            #expect(try await trial.customers() == ["1 second second@example.org 210"])
            // MySQL's places are files and positions in them.
            let mysql = #"{"connector":"mysql","table":"customers","file":"mysql-bin.000003","pos":154,"ts_ms":1}"#
            try await trial.read((key, Self.change("u", after: Self.row(1, "third"), lsn: 0, source: mysql)))
            #expect(try await trial.customers() == ["1 third third@example.org \(3 << 32 + 154)"])
            var byTime = trial
            byTime.rows.order = .time
            try await byTime.read((key, Self.change("u", after: Self.row(1, "fourth"), lsn: 1)))
            #expect(try await trial.customers() == ["1 fourth fourth@example.org 1559033904863000"])
        }
    }

    @Test("values have the types that the schema names", arguments: TestDatabaseKind.available)
    func types(_ kind: TestDatabaseKind) async throws {
        try await DebeziumTrial.run(kind) { trial in
            let values = """
                ,"credit":"AQ3p","born":18000,"joined_at":1559033904863123,"opens":34200000000,"profile":"{\\"a\\":[1]}"
                """
            try await trial.read((Self.key(1), Self.change("c", after: Self.row(1, "Anne", values), lsn: 100)))
            let query: SQL = """
                SELECT credit * 1.0, CAST(born AS text), joined_at, CAST(opens AS text), CAST(profile AS text) FROM customers
                """
            let found = try await trial.trial.lines(trial.trial.replica, query)
            let opens = kind == .postgres ? "09:30:00" : "09:30:00.000000"
            let profile = kind == .postgres ? #"{"a": [1]}"# : #"{"a":[1]}"#
            #expect(found == ["690.97 2019-04-14 2019-05-28T08:58:24Z \(opens) \(profile)"])

            // Without a schema the application says what numbers mean.
            var named = trial
            named.rows.columns = [
                "credit": .decimal(scale: 2), "born": .days, "joined_at": .microseconds, "opens": .timeMicroseconds,
                "profile": .json,
            ]
            let change = Self.change("u", after: Self.row(1, "Anne", values), lsn: 101, hasSchema: false)
            try await named.read((Self.key(1), change))
            #expect(try await trial.trial.lines(trial.trial.replica, query) == found)
            // Where Debezium is set to write text, it is taken as it is.
            let texts = #","credit":"690.97","born":"2019-04-14","joined_at":"2019-05-28T08:58:24.863123Z""#
            let text = Self.change("u", after: Self.row(1, "Anne", texts), lsn: 102, hasSchema: false)
            try await trial.read((Self.key(1), text))
            #expect(try await trial.trial.lines(trial.trial.replica, query) == found)
            #expect(try await trial.failures() == [])
        }
    }

    @Test("a value that Debezium doesn't know leaves its column as it is", arguments: TestDatabaseKind.available)
    func unavailable(_ kind: TestDatabaseKind) async throws {
        try await DebeziumTrial.run(kind) { trial in
            try await trial.read((Self.key(1), Self.change("c", after: Self.row(1, "Anne"), lsn: 100)))
            let after = #"{"id":1,"first_name":"Anna","email":"__debezium_unavailable_value"}"#
            try await trial.read((Self.key(1), Self.change("u", after: after, lsn: 110)))
            #expect(try await trial.customers() == ["1 Anna Anne@example.org 110"])
        }
    }

    @Test("flattened rows are read, and marked ones end", arguments: TestDatabaseKind.available, [true, false])
    func flattened(_ kind: TestDatabaseKind, hasSchema: Bool) async throws {
        try await DebeziumTrial.run(kind) { trial in
            func flat(_ row: String) -> String {
                hasSchema
                    ? #"{"schema":{"type":"struct","fields":\#(Self.fields),"optional":false},"payload":\#(row)}"# : row
            }
            let key = Self.key(1, hasSchema: hasSchema)
            let first = flat(Self.row(1, "Anne", #","__deleted":"false","__op":"c","__table":"customers","__lsn":100"#))
            try await trial.read((key, first))
            #expect(try await trial.customers() == ["1 Anne Anne@example.org 100"])
            try await trial.read((key, flat(Self.row(1, "Old", #","__deleted":"false","__lsn":90"#))))
            #expect(try await trial.customers() == ["1 Anne Anne@example.org 100"])
            try await trial.read((key, flat(Self.row(1, "", #","__deleted":"true","__lsn":110"#))))
            #expect(try await trial.customers() == [])
            try await trial.read((Self.key(3, hasSchema: hasSchema), flat(Self.row(3, "Cleo"))))
            #expect(try await trial.customers() == ["3 Cleo Cleo@example.org -"])
            #expect(try await trial.failures() == [])
        }
    }

    @Test("a key of another name identifies rows, in the row or beside it", arguments: TestDatabaseKind.available)
    func keys(_ kind: TestDatabaseKind) async throws {
        try await DebeziumTrial.run(kind) { trial in
            let after = #"{"first_name":"Anne","email":"a@example.org"}"#
            try await trial.read((#"{"customer_no":4}"#, Self.change("c", after: after, lsn: 100, hasSchema: false)))
            #expect(try await trial.customers() == ["4 Anne a@example.org 100"])
            var named = trial
            named.rows.key = "customer_no"
            let both = #"{"id":99,"customer_no":5,"first_name":"Bob","email":"b@example.org"}"#
            let change = Self.change("c", after: both, lsn: 110, hasSchema: false)
            try await named.read((#"{"region":1,"customer_no":5}"#, change))
            #expect(try await trial.customers() == ["4 Anne a@example.org 100", "5 Bob b@example.org 110"])
            try await named.read((#"{"region":1,"customer_no":5}"#, nil))
            #expect(try await trial.customers() == ["4 Anne a@example.org 100"])
        }
    }

    @Test("the table decides in a topic of several models", arguments: TestDatabaseKind.available)
    func tables(_ kind: TestDatabaseKind) async throws {
        try await DebeziumTrial.run(kind) { trial in
            var several = trial
            several.models = ["Customer", "Booking"]
            let source = #"{"table":"bookings","lsn":5,"ts_ms":1}"#
            let booking = #"{"id":8,"start_at":"2026-01-01T00:00:00Z","final_price":"3.5"}"#
            try await several.read(
                (Self.key(8), Self.change("c", after: booking, lsn: 0, hasSchema: false, source: source)),
                (Self.key(8), Self.change("c", after: Self.row(8, "Anne"), lsn: 6, hasSchema: false))
            )
            try await trial.trial.expectCopies(["8 - 3.50 2026-01-01T00:00:00Z"])
            #expect(try await trial.customers() == ["8 Anne Anne@example.org 6"])
        }
    }

    @Test("what is no change of a row fails, and what is around it arrives", arguments: TestDatabaseKind.available)
    func hostile(_ kind: TestDatabaseKind) async throws {
        try await DebeziumTrial.run(kind) { trial in
            let wide = String(repeating: "e", count: 100)
            let broken: [(String?, String?)] = [
                (Self.key(1), ""), (Self.key(1), "[]"), (Self.key(1), "7"), (Self.key(1), #""text""#),
                (Self.key(1), "{"),
                (Self.key(1), Self.change("x", after: Self.row(1, "a"), lsn: 1)),
                (Self.key(1), #"{"before":null,"after":{"id":1}}"#), (Self.key(1), Self.change("c", lsn: 1)),
                (Self.key(1), Self.change("u", after: "[1]", lsn: 1)),
                (nil, Self.change("t", lsn: 1)),
                (nil, Self.change("c", after: #"{"first_name":"a"}"#, lsn: 1)),
                (#"{"a":1,"b":2}"#, Self.change("c", after: #"{"first_name":"a"}"#, lsn: 1)),
                (#"{"a":1,"b":2}"#, nil), (nil, nil), ("{", Self.change("c", after: Self.row(1, "a"), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a", #","credit":"\#(wide)""#), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a", #","credit":"?""#), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a", #","credit":[1]"#), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a", #","born":9223372036854775807"#), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a", #","born":1.5"#), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a", #","joined_at":true"#), lsn: 1)),
                (Self.key(1), Self.change("c", after: Self.row(1, "a"), lsn: Int.max)),
                (Self.key(1), #"{"schema":{"type":"struct","fields":7},"payload":[]}"#),
            ]
            try await trial.read((Self.key(1), Self.change("c", after: Self.row(1, "Anne"), lsn: 2)))
            for (key, value) in broken { try await trial.read((key, value)) }
            try await trial.read(
                (Self.key(1), Self.change("m", lsn: 3)),
                (Self.key(2), Self.change("c", after: Self.row(2, "Bob"), lsn: 4))
            )
            #expect(try await trial.customers() == ["1 Anne Anne@example.org 2", "2 Bob Bob@example.org 4"])
            let failures = try await trial.failures()
            #expect(failures.count == broken.count, "\(failures)")
            #expect(failures.contains { $0.contains("truncated") })
            #expect(failures.allSatisfy { !$0.contains(wide) })
        }
    }
}
