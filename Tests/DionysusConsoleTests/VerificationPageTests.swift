import Dionysus
import DionysusConsole
import TestSupport
import Testing

/// Verifications in the console and its API.
struct VerificationPageTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a run is started, its findings are shown, and a repair ends them`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.writeReplica(
                "UPDATE rentals SET name = '<i>new</i>' WHERE synced_id = 42",
                "INSERT INTO rentals (synced_id, name) VALUES (900, 'invented')"
            )
            try await shop.serving { (visitor: Visitor) async throws in
                #expect(try await visitor.get("/verifications").text.contains("Nothing was compared yet"))
                let start: JSON = ["topic": "v3_rentals", "model": "Rental"]
                #expect(try await visitor.post("/api/v1/verifications", start).status == 202)
                #expect(try await visitor.get("/api/v1/runs/1").json["kind"] == "verification")
                #expect(
                    try await visitor.get("/runs/1").text.contains("Verification 1: Rental to v3_rentals_verification")
                )
                try await shop.relay()
                try await shop.consume()

                let list = try await visitor.get("/api/v1/verifications").json
                guard case .array(let runs)? = list["verifications"], let run = runs.first, runs.count == 1 else {
                    Issue.record("there is not one run: \(list)")
                    return
                }
                #expect(run["state"] == "completed")
                #expect(run["stale"] == 1)
                #expect(run["extra"] == 1)
                #expect(run["missing"] == 0)
                let found = try await visitor.get("/api/v1/verifications/1?limit=1").json
                guard case .array(let first)? = found["differences"], case .integer(let next)? = found["next"] else {
                    Issue.record("there is no page of differences: \(found)")
                    return
                }
                #expect(first.count == 1)
                let rest = try await visitor.get("/api/v1/verifications/1?after=\(next)").json
                #expect(rest["differences"] != [])
                #expect(rest["next"] == .null)

                #expect(try await visitor.get("/verifications").text.contains("differs from its source"))
                let page = try await visitor.get("/verifications/1").text
                #expect(page.contains("Rental 900"), "\(page)")
                #expect(page.contains("name"))
                let fields = [("csrf", page.formToken), ("topic", "v3_rentals")]
                let question = try await visitor.submit("/verifications/1/repair", fields)
                #expect(question.text.contains("Repair the replica of v3_rentals?"), "\(question.text)")
                let done = try await visitor.submit("/verifications/1/repair", fields + [("confirm", "1")])
                #expect(done.status == 303)
                let result = try await visitor.get(done.headers["location"] ?? "")
                #expect(result.text.contains("removed 1 of 1 row"), "\(result.text)")
                try await shop.relay()
                try await shop.consume()

                #expect(try await visitor.post("/api/v1/verifications", start).status == 202)
                try await shop.relay()
                try await shop.consume()
                #expect(try await visitor.get("/verifications/2").text.contains("equals its source"))
                guard case .array(let actions)? = try await visitor.get("/api/v1/audit").json["actions"] else { return }
                let names = actions.compactMap { $0["action"]?.text }
                #expect(names.contains { $0.contains("verifications.start") })
                #expect(names.contains { $0.contains("verifications.repair") })
                #expect(try await visitor.get("/verifications/77").status == 404)
                #expect(
                    try await visitor.post("/api/v1/verifications", ["topic": "v3_none", "model": "Rental"]).status
                        != 500
                )
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `one record is verified from its page, which says what was found until something newer comes`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.writeReplica(
                "UPDATE rentals SET name = 'changed' WHERE synced_id IN (42, 43)",
                "INSERT INTO rentals (synced_id, name) VALUES (900, 'invented')"
            )
            try await shop.serving { (visitor: Visitor) async throws in
                func settle() async throws {
                    try await shop.relay()
                    try await shop.consume()
                }
                func record(_ id: Int) async throws -> JSON {
                    try await visitor.get("/api/v1/record/Rental/\(id)").json
                }
                let page = try await visitor.get("/record/Rental/42").text
                #expect(page.contains("action=\"/record/Rental/42/verify\""), "\(page)")
                let fields = [("csrf", page.formToken), ("topic", "v3_rentals")]
                let done = try await visitor.submit("/record/Rental/42/verify", fields)
                #expect(done.status == 303)
                let result = try await visitor.get(done.headers["location"] ?? "").text
                #expect(result.contains("Verify Rental 42: 1 started"), "\(result)")
                #expect(result.contains("href=\"/record/Rental/42\""))
                let run = try await visitor.get("/api/v1/runs/1").json
                #expect(run["from_key"] == "42" && run["to_key"] == "42" && run["kind"] == "verification")
                try await settle()

                let found = try await record(42)
                #expect(found["verification"]?["number"] == 1)
                guard case .array(let differences)? = found["verification"]?["differences"] else {
                    Issue.record("nothing was found: \(found)")
                    return
                }
                #expect(differences.map { $0["record_id"] } == ["42"] && differences.first?["columns"] == ["name"])
                #expect(found["verdict"]?.text.contains("Rental 42: differs from its source") == true, "\(found)")
                #expect(try await visitor.get("/record/Rental/42").text.contains("/verifications/1?topic=v3_rentals"))
                // Nothing is said about the other record, nor about all of them.
                #expect(try await record(43)["verification"] == .null)
                let list = try await visitor.get("/verifications").text
                #expect(
                    list.contains("Rental 42") && list.contains("No comparison of all records of a model"),
                    "\(list)"
                )

                // What is published again is newer than what was found.
                let again = try await visitor.post("/api/v1/record/Rental/42/publish", ["topic": "v3_rentals"])
                #expect(again.status == 202)
                try await settle()
                #expect(try await record(42)["verdict"]?.text.contains("is the same on both sides") == true)
                #expect(try await visitor.get("/record/Rental/42").text.contains("something newer has come since"))

                for (id, words) in [(42, "equals its source"), (900, "Rental 900 is extra")] {
                    let start: JSON = ["topic": "v3_rentals"]
                    #expect(try await visitor.post("/api/v1/record/Rental/\(id)/verify", start).status == 202)
                    try await settle()
                    #expect(try await visitor.get("/record/Rental/\(id)").text.contains(words), "\(id)")
                }
                let audit = try await visitor.get("/api/v1/audit").text
                #expect(audit.contains("records.verify") && audit.contains("Rental 42 in v3_rentals"), "\(audit)")
                let refused = try await visitor.post("/api/v1/record/Rental/42/verify", ["topic": "v3_none"])
                #expect(try await visitor.outcome(of: refused)["problem"]?.text.contains("v3_none") == true)
                #expect(try await visitor.post("/api/v1/record/Rental/42/verify", [:]).status == 422)
                #expect(try await visitor.get("/api/v1/openapi.json").text.contains("/record/{model}/{id}/verify"))
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a console that only reads starts and repairs nothing`(_ kind: TestDatabaseKind) async throws {
        var settings = ConsoleSettings()
        settings.isReadOnly = true
        try await Shop.with(kind, settings) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let start: JSON = ["topic": "v3_rentals", "model": "Rental"]
                #expect(try await visitor.post("/api/v1/verifications", start).status == 403)
                #expect(try await visitor.post("/api/v1/verifications/1/repair").status == 403)
                let one: JSON = ["topic": "v3_rentals"]
                #expect(try await visitor.post("/api/v1/record/Rental/42/verify", one).status == 403)
                #expect(try await !visitor.get("/record/Rental/42").text.contains("/verify\""))
                #expect(try await visitor.get("/api/v1/verifications").json["verifications"] == [])
            }
        }
    }
}
