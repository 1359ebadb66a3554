import Dionysus
import Foundation
import Testing

/// Versions of other systems that are too old.
@Suite struct RequiredVersionTests {
    @Test("a version that is too old is an error that names both; the oldest one and later ones are accepted")
    func versions() throws {
        let error = #expect(throws: DionysusError.self) {
            try RequiredVersion.postgres.require([13, 14], place: " at db/app")
        }
        #expect(error?.code == .configuration)
        #expect(error?.isRetriable == false)
        #expect(
            error?.message == "PostgreSQL at db/app has version 13.14, but Dionysus needs 14 or later"
        )
        #expect(error?.advice == "upgrade PostgreSQL")
        try RequiredVersion.postgres.require([14, 0])
        try RequiredVersion.postgres.require([18, 1])
        #expect(throws: DionysusError.self) { try RequiredVersion.sqlite.require([3, 34, 1]) }
        try RequiredVersion.sqlite.require([3, 35, 0])
        #expect(throws: DionysusError.self) { try RequiredVersion.librdkafka.require([1, 9, 2]) }
        #expect(throws: DionysusError.self) { try RequiredVersion.librdkafka.require([2, 0, 1]) }
        try RequiredVersion.librdkafka.require([2, 0, 2])
        try RequiredVersion.librdkafka.require([2, 16, 0])
    }

    @Test(
        "the documented versions are the required ones",
        arguments: [
            ("PostgreSQL (server)", RequiredVersion.postgres), ("SQLite", .sqlite), ("librdkafka", .librdkafka),
        ]
    )
    func documented(_ name: String, _ required: RequiredVersion) throws {
        let page = URL(filePath: #filePath).appending(path: "../../../docs/versions.md").standardized
        let text = try String(contentsOf: page, encoding: .utf8)
        let row = try #require(text.split(separator: "\n").first { $0.hasPrefix("| \(name) |") })
        let oldest = row.split(separator: "|")[1].split(separator: ".").compactMap { Int($0.filter(\.isNumber)) }
        try required.require(oldest + [0])
        let older = oldest.dropLast() + [oldest[oldest.count - 1] - 1, 99]
        #expect(throws: DionysusError.self) { try required.require(Array(older)) }
    }
}
