import Dionysus
import DionysusProducer
import Foundation
import TestSupport
import Testing

/// Tables whose primary keys are not integers, from the table to the log.
@Suite struct CaptureKeyTests {
    struct Device: Model {
        var id: UUID
        var name: String

        enum CodingKeys: String, CodingKey { case id, name }
    }

    struct Country: Model {
        var code: String
        var name: String

        enum CodingKeys: String, CodingKey { case code, name }
        static let primaryKey = "code"
        static let tableName = "countries"
    }

    struct Sync: Producer {
        var namespaces: [Namespace] {
            Namespace(
                "v1",
                serializers: Serializers {
                    Whole(Device.self); Whole(Country.self)
                }
            ) {
                Topic("devices") { Publish(Device.self) }
                Topic("countries", partitionKey: "code") { Publish(Country.self) }
            }
        }
    }

    @Test("records with uuid and text keys are captured and published", arguments: TestDatabaseKind.available)
    func keys(_ kind: TestDatabaseKind) async throws {
        let tables = [
            "CREATE TABLE devices (id uuid PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL)",
        ]
        let id = "6a2f41a3-c54c-4ce8-93d2-0324e1c32e22"
        try await ProducerHarness.run(kind, tables: tables, producer: Sync()) { harness in
            try await harness.write(
                "INSERT INTO devices (id, name) VALUES ('\(raw: id)', 'phone')",
                "INSERT INTO countries (code, name) VALUES ('gr', 'Greece')",
                "UPDATE countries SET code = 'el'",
                "UPDATE devices SET name = 'tablet'"
            )
            #expect(
                try await harness.pending().sorted() == [
                    "country_created Country:el v1_countries el", "country_created Country:gr v1_countries gr",
                    "country_destroyed Country:gr v1_countries gr", "device_created Device:\(id) v1_devices -",
                    "device_updated Device:\(id) v1_devices -",
                ]
            )
            try await harness.relay()
            let devices = try await harness.messages(in: "v1_devices")
            #expect(devices.map(\.key) == ["Device:\(id)", "Device:\(id)"])
            let payload = devices.last?.payload
            #expect(payload?["id"] == .string(id) && payload?["name"] == .string("tablet"))
            let countries = try await harness.events(in: "v1_countries").sorted()
            #expect(countries == ["country_created Country:el", "country_destroyed Country:gr"])
        }
    }
}
