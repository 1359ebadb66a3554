import Dionysus
import DionysusConsole
import DionysusConsumer
import DionysusProducer
import TestSupport
import Testing

/// What is changed in the console, and what is written down of it.
struct ActionTests {
    /// A message that fails, and a replica that takes it later.
    private func failing(_ kind: TestDatabaseKind, _ body: @escaping @Sendable (Shop, Visitor) async throws -> Void)
        async throws
    {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.refuseAccounts()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in try await body(shop, visitor) }
        }
    }

    private func mend(_ shop: Shop) async throws {
        try await shop.writeReplica(
            "ALTER TABLE accounts DROP COLUMN name",
            "ALTER TABLE accounts RENAME COLUMN other_name TO name"
        )
    }

    @Test(arguments: TestDatabaseKind.available)
    func `all failures of a cause are retried after a question, and the page shows the result`(_ kind: TestDatabaseKind)
        async throws
    {
        try await failing(kind) { shop, visitor in
            let page = try await visitor.get("/failures")
            #expect(page.text.contains("1 message could not be applied"), "\(page.text)")
            let report = try await visitor.get("/api/v1/failures").json
            guard case .array(let groups)? = report["groups"], let group = groups.first,
                case .string(let cause)? = group["cause"],
                case .string(let kindOfError)? = group["error_class"]
            else {
                Issue.record("there is no group: \(report)")
                return
            }
            try await mend(shop)
            let fields = [
                ("csrf", page.text.formToken), ("topic", "v3_accounts"), ("error", kindOfError), ("cause", cause),
                ("all", "retry"),
            ]
            let question = try await visitor.submit("/failures/actions", fields)
            #expect(question.status == 200)
            #expect(question.text.contains("Retry 1 message?"))
            let seen: [(String, String)] = [
                ("upto", question.text.between("name=\"upto\" value=\"", "\"") ?? ""),
                ("expected", question.text.between("name=\"expected\" value=\"", "\"") ?? ""), ("confirm", "1"),
            ]
            // More than what was to be seen is asked about again.
            let fewer = try await visitor.submit(
                "/failures/actions",
                fields + [("upto", "1000"), ("expected", "0"), ("confirm", "1")]
            )
            #expect(fewer.text.contains("Retry 1 message?"))
            let done = try await visitor.submit("/failures/actions", fields + seen)
            #expect(done.status == 303)
            let result = try await visitor.get(done.headers["location"] ?? "")
            #expect(result.text.contains("Retry 1 message: 1 applied"), "\(result.text)")
            #expect(try await visitor.get("/api/v1/failures").json["failed"] == 0)
            let audit = try await visitor.get("/api/v1/audit").json
            guard case .array(let actions)? = audit["actions"], let entry = actions.first else {
                Issue.record("nothing was written down")
                return
            }
            #expect(entry["actor"] == "local")
            #expect(entry["action"] == "failures.retry")
            #expect(entry["matched"] == 1)
            #expect(entry["outcome"] == "1 applied")
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an edited message is applied, and its original is kept`(_ kind: TestDatabaseKind) async throws {
        try await failing(kind) { shop, visitor in
            guard case .array(let failures)? = try await visitor.get("/api/v1/failures").json["failures"],
                case .integer(let id)? = failures.first?["id"]
            else {
                Issue.record("there is no failure")
                return
            }
            let detail = try await visitor.get("/api/v1/failures/\(id)").json
            guard let payload = detail["payload"]?.text else { return }
            let edited = payload.replacing(#""<script>alert(1)</script>""#, with: "5")
            let page = try await visitor.get("/failures/\(id)")
            let token = page.text.formToken
            let question = try await visitor.submit("/failures/\(id)/edit", [("csrf", token), ("payload", edited)])
            #expect(question.text.contains("<del>"), "\(question.text)")
            #expect(question.text.contains("<ins>"))
            let done = try await visitor.submit(
                "/failures/\(id)/edit",
                [("csrf", token), ("payload", edited), ("confirm", "1")]
            )
            let result = try await visitor.get(done.headers["location"] ?? "")
            #expect(result.text.contains("1 applied"), "\(result.text)")
            let kept = try await shop.replica.transaction(.snapshot) { transaction in
                try transaction.run("SELECT original FROM dionysus_audit WHERE action = 'failures.edit'").first?[0]
            }
            guard case .bytes(let original)? = kept else {
                Issue.record("nothing was kept")
                return
            }
            #expect(String(decoding: original, as: UTF8.self).contains("alert(1)"))
            let name = try await shop.replica.transaction(.snapshot) { transaction in
                try transaction.run("SELECT name FROM accounts WHERE synced_id = 1").first?.integer(0)
            }
            #expect(name == 5)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `failures are deleted and skipped by the API, by ids and by filter`(_ kind: TestDatabaseKind) async throws {
        try await failing(kind) { shop, visitor in
            #expect(try await visitor.post("/api/v1/failures/delete").status == 422)
            let dry = try await visitor.post("/api/v1/failures/skip", ["topic": "v3_accounts", "dry_run": true])
            #expect(dry.json["matched"] == 1)
            #expect(try await visitor.get("/api/v1/failures").json["failed"] == 1)
            let deleted = try await visitor.post("/api/v1/failures/delete", ["topic": "v3_accounts"])
            #expect(deleted.status == 202)
            #expect(try await visitor.outcome(of: deleted)["outcomes"]?["deleted"] == 1)
            #expect(try await visitor.get("/api/v1/failures").json["failed"] == 0)
            let again = try await visitor.post("/api/v1/failures/retry", ["ids": [1]])
            #expect(try await visitor.outcome(of: again)["outcomes"]?["no longer there"] == 1)
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `parked rows are listed, retried and discarded`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.write(
                "UPDATE dionysus_outboxes SET failed_at = created_at, error_class = 'application', error_message = 'it broke'"
            )
            try await shop.serving { (visitor: Visitor) async throws in
                let overview = try await visitor.get("/")
                #expect(overview.text.contains("of the outbox are parked and not tried again"), "\(overview.text)")
                let list = try await visitor.get("/api/v1/outbox?state=parked&model=Rental").json
                guard case .array(let rows)? = list["rows"], case .integer(let id)? = rows.first?["id"] else {
                    Issue.record("nothing is listed: \(list)")
                    return
                }
                #expect(rows.count == 2)
                let row = try await visitor.get("/outbox/\(id)")
                #expect(row.text.contains("What it would publish now"))
                #expect(row.text.contains("it broke"))
                let retried = try await visitor.submit(
                    "/outbox/actions",
                    [("csrf", row.text.formToken), ("id", "\(id)"), ("action", "retry")]
                )
                #expect(try await visitor.get(retried.headers["location"] ?? "").text.contains("1 due now"))
                let rest = try await visitor.post("/api/v1/outbox/discard", ["state": "parked"])
                #expect(rest.status == 202)
                _ = try await visitor.outcome(of: rest)
                #expect(try await visitor.get("/api/v1/outbox?state=parked").json["rows"] == [])
            }
            try await shop.relay()
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a run is started, paused, resumed and cancelled`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let page = try await visitor.get("/runs")
                let fields = [
                    ("csrf", page.text.formToken), ("what", "v3_rentals Rental"), ("where", "account_id=1"),
                    ("hours", "1"),
                ]
                let question = try await visitor.submit("/runs", fields)
                #expect(question.text.contains("Publish Rental to v3_rentals?"))
                #expect(question.text.contains("2 records"), "\(question.text)")
                let started = try await visitor.submit("/runs", fields + [("confirm", "1")])
                #expect(try await visitor.get(started.headers["location"] ?? "").text.contains("1 started"))
                for (action, state) in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
                    let token = try await visitor.get("/runs/1").text.formToken
                    _ = try await visitor.submit("/runs/1/\(action)", [("csrf", token)])
                    #expect(try await visitor.get("/api/v1/runs/1").json["state"] == .string(state))
                }
                let conflict = try await visitor.post("/api/v1/runs/1/pause")
                guard case .string(let problem)? = conflict.json["problem"] else {
                    Issue.record("it was paused again")
                    return
                }
                #expect(problem.contains("can't be paused: it is cancelled"))
                #expect(
                    try await visitor.post("/api/v1/runs", ["topic": "v3_rentals", "model": "Rental", "from": "soon"])
                        .status == 422
                )
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a record is published again, and a living one gets no tombstone`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.serving { (visitor: Visitor) async throws in
                let again = try await visitor.post("/api/v1/record/Rental/42/publish", ["topic": "v3_rentals"])
                #expect(try await visitor.outcome(of: again)["outcomes"]?["started"] == 1)
                let refused = try await visitor.post("/api/v1/record/Rental/42/tombstone", ["topic": "v3_rentals"])
                guard case .string(let problem)? = try await visitor.outcome(of: refused)["problem"] else {
                    Issue.record("a tombstone was published: \(refused.text)")
                    return
                }
                #expect(problem.contains("is still there"))
            }
        }
    }

    @Test func `without the audit log nothing is changed`() async throws {
        try await failing(.sqlite) { shop, visitor in
            try await shop.writeReplica("DROP TABLE dionysus_audit")
            let refused = try await visitor.post("/api/v1/failures/delete", ["all": true])
            #expect(refused.status == 503)
            #expect(refused.json["message"]?.text.contains("run migrate") == true)
            #expect(try await visitor.get("/api/v1/failures").json["failed"] == 1)
        }
    }
}
