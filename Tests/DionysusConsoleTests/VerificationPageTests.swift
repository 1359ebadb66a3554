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
    func `a console that only reads starts and repairs nothing`(_ kind: TestDatabaseKind) async throws {
        var settings = ConsoleSettings()
        settings.isReadOnly = true
        try await Shop.with(kind, settings) { shop in
            try await shop.fill()
            try await shop.serving { (visitor: Visitor) async throws in
                let start: JSON = ["topic": "v3_rentals", "model": "Rental"]
                #expect(try await visitor.post("/api/v1/verifications", start).status == 403)
                #expect(try await visitor.post("/api/v1/verifications/1/repair").status == 403)
                #expect(try await visitor.get("/api/v1/verifications").json["verifications"] == [])
            }
        }
    }
}
