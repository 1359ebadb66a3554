import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// Reading what would be published, page by page.
@Suite struct RecordExportTests {
    @Test(
        "a page has fewer records where they are large, and the pages together all of them",
        arguments: TestDatabaseKind.available
    )
    func largeRecords(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            for id in 1...6 {
                try await harness.write(
                    """
                    INSERT INTO rentals (id, account_id, name)
                    VALUES (\(id), 1, \(String(repeating: "x", count: 4_000_000)))
                    """
                )
            }
            let export = try await RecordExport(
                "Rental",
                in: "v3_rentals",
                harness.registry,
                database: harness.database,
                settings: harness.settings
            )
            var pages: [RecordExport.Page] = []
            repeat {
                pages.append(try await export.page(after: pages.last?.last, limit: 500))
            } while !(pages.last?.isEnd ?? true)
            let keys: [String] = pages.flatMap { $0.records.map(\.key) }
            #expect(keys == ["1", "2", "3", "4", "5", "6"])
            for page in pages {
                let size = page.records.map(\.payload.count).reduce(0, +)
                #expect(size <= 16 << 20)
            }
        }
    }
}
