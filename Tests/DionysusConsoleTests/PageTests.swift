import Dionysus
import DionysusConsole
import DionysusProducer
import TestSupport
import Testing

/// What the pages say, and that none of them breaks.
struct PageTests {
    private static let pages = [
        "/", "/outbox", "/failures", "/messages", "/consumers", "/runs", "/system", "/audit", "/actions", "/keys",
    ]

    @Test(arguments: TestDatabaseKind.available)
    func `an empty system is well, and every page says so in its first line`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.relay()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                for path in Self.pages {
                    let page = try await visitor.get(path)
                    #expect(page.status == 200, "\(path): \(page.text)")
                    #expect(page.text.contains("<p class=\"verdict "), "\(path)")
                    #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
                }
                let overview = try await visitor.get("/api/v1/overview")
                #expect(overview.json["verdict"]?["state"] == "well", "\(overview.text)")
                #expect(overview.json["outbox"]?["pending"]?["count"] == 0)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `before anything is installed, the console says what to run`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind, isMigrated: false) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                for path in Self.pages where path != "/audit" {
                    #expect(try await visitor.get(path).status < 500, "\(path)")
                }
                #expect(try await visitor.get("/").text.contains("Run migrate, then relay and consume."))
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a broker that is gone leaves the rest of the page`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            await shop.broker.close()
            try await shop.serving { (visitor: Visitor) async throws in
                let page = try await visitor.get("/")
                #expect(page.status == 200)
                #expect(page.text.contains("can&#39;t be reached"))
                #expect(page.text.contains("<dt>pending</dt><dd>"))
                #expect(try await visitor.get("/consumers").status == 200)
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `values of records and messages are never markup`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.refuseAccounts()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                let paths = [
                    "/record/Account/1", "/record/Rental/42", "/messages?topic=v3_accounts&from=earliest",
                    "/failures?list=1",
                    "/record/%3Cscript%3E/%3Cscript%3E", "/search?q=%3Cscript%3E", "/outbox?topic=%3Cscript%3E",
                    "/system",
                ]
                for path in paths {
                    let page = try await visitor.get(path)
                    #expect(!page.text.contains("<script>"), "\(path)")
                    #expect(!page.text.contains("<b>Sea"), "\(path)")
                }
                #expect(try await visitor.get(paths[2]).text.contains("&lt;script&gt;alert(1)"))
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a record's page shows both sides, their difference, and its way`(_ kind: TestDatabaseKind) async throws {
        try await Shop.with(kind) { shop in
            try await shop.fill()
            try await shop.relay()
            try await shop.consume()
            try await shop.serving { (visitor: Visitor) async throws in
                let same = try await visitor.get("/api/v1/record/Rental/42").json
                #expect(same["agreement"] == "same", "\(same)")
                try await shop.writeReplica("UPDATE rentals SET name = 'Wrong' WHERE synced_id = 42")
                let different = try await visitor.get("/api/v1/record/Rental/42").json
                #expect(different["agreement"] == "different")
                let page = try await visitor.get("/record/Rental/42").text
                #expect(page.contains("Rental 42 differs between both sides"))
                #expect(page.contains("▐ differs"))
                #expect(page.contains("rental_created published"))
                try await shop.writeReplica("DELETE FROM rentals WHERE synced_id = 42")
                #expect(try await visitor.get("/api/v1/record/Rental/42").json["agreement"] == "only_source")
                #expect(try await visitor.get("/api/v1/record/Rental/999").json["agreement"] == "nowhere")
                #expect(try await visitor.get("/record/Rental/abc").status == 200)
            }
        }
    }

    @Test(
        arguments: [
            ("Rental 42", "/record/Rental/42"), ("rental:42", "/record/Rental/42"),
            ("v3_rentals/0/7", "/messages?topic=v3_rentals&partition=0&from=7"),
        ]
    )
    func `the search leads to what a text names`(_ text: String, _ path: String) async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                let query = text.replacing(" ", with: "+")
                let answer = try await visitor.get("/search?q=\(query)")
                #expect(answer.status == 303)
                #expect(answer.headers["location"] == path)
            }
        }
    }

    @Test func `a page whose address makes no sense says what is wrong`() async throws {
        try await Shop.with(.sqlite) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                for (path, status) in [
                    ("/outbox?state=none", 422), ("/outbox?after=x", 422), ("/?span=1y", 422), ("/outbox/999", 404),
                    ("/failures/999", 404), ("/runs/999", 404), ("/runs/x", 404), ("/nowhere", 404),
                    ("/messages?topic=other", 404),
                    ("/api/v1/nowhere", 404), ("/record/Rental/%ff", 400), ("/outbox?topic=%ff", 400),
                ] {
                    let answer = try await visitor.get(path)
                    #expect(answer.status == status, "\(path): \(answer.text)")
                }
                let problem = try await visitor.get("/api/v1/outbox?state=none").json
                #expect(problem["error"] == true)
                #expect(problem["code"] == "malformed")
            }
        }
    }

    @Test func `a console can be mounted under a path`() async throws {
        var settings = ConsoleSettings()
        settings.basePath = "/admin/dionysus"
        try await Shop.with(.sqlite, settings) { shop in
            try await shop.serving { (visitor: Visitor) async throws in
                let page = try await visitor.get("/")
                #expect(page.status == 200)
                #expect(page.text.contains("href=\"/admin/dionysus/outbox\""))
                #expect(!page.text.contains("href=\"/outbox"))
                #expect(
                    try await visitor.get("/search?q=Rental:1").headers["location"] == "/admin/dionysus/record/Rental/1"
                )
            }
        }
    }
}
