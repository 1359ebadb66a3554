import Dionysus
import DionysusEvents
import DionysusKafkaTesting
import Foundation
import TestSupport
import Testing

@testable import Ads

/// The example: its rules, and its processes on both databases and brokers.
@Suite struct AdsTests {
    /// The example's executable with its databases.
    struct Installation {
        let environment: [String: String]

        static func with(_ kind: TestDatabaseKind, _ body: (Installation) async throws -> Void) async throws {
            switch kind {
            case .sqlite:
                try await withTemporaryDirectory { directory in
                    let environment = [
                        "ADS_DATABASE_URL": "sqlite:\(directory)/ads.sqlite",
                        "DIONYSUS_SEED_BROKER": "embedded:\(directory)/log.sqlite",
                    ]
                    try await body(Installation(environment: environment))
                }
            case .postgres:
                let cluster = try MockCluster(brokers: 1)
                try await withTemporaryPostgresURL { url in
                    let environment = ["ADS_DATABASE_URL": url, "DIONYSUS_SEED_BROKER": cluster.bootstrapServers]
                    try await body(Installation(environment: environment))
                }
                cluster.close()
            }
        }

        func start(_ arguments: [String]) throws -> RunningProcess {
            let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
            let directory = tests?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
            return try RunningProcess(directory.appending(path: "ads").path, arguments, environment: environment)
        }

        @discardableResult
        func succeed(_ arguments: String...) async throws -> String {
            let result = try await start(arguments).result()
            #expect(result.status == 0, "\(arguments): \(result.errors)")
            return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        /// Runs a command that fails, and returns its one line.
        func fail(_ arguments: String..., status: Int32 = 1) async throws -> String {
            let result = try await start(arguments).result()
            #expect(result.status == status, "\(arguments): \(result.output)\(result.errors)")
            #expect(result.output.isEmpty)
            return result.errors.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        func board() async throws -> JSON { try JSON(parsing: await succeed("board", "--json").utf8) }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an ad goes from its first event to the rebuilt board`(_ kind: TestDatabaseKind) async throws {
        try await Installation.with(kind) { ads in
            try await ads.succeed("migrate")
            try await ads.succeed("migrate")
            let id = try await ads.succeed("create", "Bike", "120.50")
            try await ads.succeed("reprice", id, "99")
            try await ads.succeed("publish", id, "--expected", "2")
            let other = "00000000-0000-4000-8000-000000000001"
            #expect(try await ads.succeed("create", "Chair", "5", "--id", other) == other)
            #expect(
                try await ads.fail("rename", id, "Old bike", "--expected", "2")
                    == "Error: conflict in stream ad-\(id): expected position 2, found position 3"
            )
            try await ads.succeed("relay", "--until-empty")
            try await ads.succeed("consume", "--until-caught-up")
            let expected: JSON = [
                ["ad_id": .string(id), "title": "Bike", "price": "99.00", "state": "published", "version": 3],
                ["ad_id": .string(other), "title": "Chair", "price": "5.00", "state": "draft", "version": 1],
            ]
            #expect(try await ads.board() == expected)
            try await ads.succeed("board", "--wait", "4")
            try await ads.succeed("remove", id)
            #expect(try await ads.fail("publish", id) == "Error: the ad has been removed")
            #expect(
                try await ads.fail("board", "--wait", "\(id):4", "--timeout", "0")
                    .hasPrefix("Error: projection ad_board")
            )
            #expect(try await ads.succeed("rebuild") == "rebuilt ad_board from 5 events")
            try await ads.succeed("board", "--wait", "\(id):4")
            let rebuilt = try await ads.board()
            try await ads.succeed("relay", "--until-empty")
            try await ads.succeed("consume", "--until-caught-up")
            #expect(try await ads.board() == rebuilt)
            let history = try JSON(parsing: await ads.succeed("history", id, "--json").utf8)
            guard case .array(let events) = history else { throw DionysusError(.malformed, "no list") }
            #expect(events.compactMap { $0["type"] } == ["AdCreated", "AdPriceChanged", "AdPublished", "AdRemoved"])
            #expect(events.compactMap { $0["position"] } == [1, 2, 3, 4])
            #expect(events.compactMap { $0["global_position"] } == [1, 2, 3, 5])
        }
    }

    @Test func `a wrong command says so in one line`() async throws {
        try await Installation.with(.sqlite) { ads in
            try await ads.succeed("migrate")
            #expect(try await ads.fail("publish", UUID().uuidString) == "Error: there is no such ad")
            #expect(try await ads.fail("history", UUID().uuidString) == "Error: there is no such ad")
            #expect(try await ads.fail("create", " ", "1").hasPrefix("Error: a title"))
            #expect(try await ads.fail("create", "Bike", "--", "-1").hasPrefix("Error: a price"))
            _ = try await ads.fail("publish", "7", status: 64)
            _ = try await ads.fail("create", "Bike", "1.234", status: 64)
        }
    }

    @Test func `the rules of an ad`() throws {
        let ad = Specification(AdRules())
        let draft = ad.given(AdCreated(title: "Bike", price: 120))
        try ad.when(.create(title: "Bike", price: 120)).then(AdCreated(title: "Bike", price: 120))
        try ad.when(.publish).thenThrows(Forbidden.self)
        try draft.when(.create(title: "Bike", price: 120)).thenThrows(Forbidden.self)
        try draft.when(.reprice(120)).thenNothing()
        try draft.when(.reprice(99)).then(AdPriceChanged(price: 99))
        try draft.when(.rename("Old bike")).then(AdTitleChanged(title: "Old bike"))
        try draft.when(.publish).then(AdPublished())
        try draft.given(AdPublished()).when(.publish).thenThrows(Forbidden.self)
        try draft.given(AdPublished()).when(.remove).then(AdRemoved())
        try draft.given(AdRemoved()).when(.publish).thenThrows(Forbidden.self)
    }
}
