import Dionysus
import DionysusFile
import DionysusProducer
import Foundation

extension Benchmark {
    /// The same records by a declaration in a file: models without types, and an attribute that the database computes.
    static let relayFile = Benchmark(
        name: "relay-file",
        figures: [
            Figure(
                name: "the backlog of relay, declared in a file",
                unit: "records/s",
                targets: [.atLeast(36_000), .atLeastOfFloor(0.9)]
            ),
            Figure(name: "floor: the same backlog, declared in Swift", unit: "records/s"),
        ],
        run: {
            let records = 50_000
            return try await SourceFixture.with(rentals: records) { fixture in
                var rates: [Double] = []
                for declared in [try await fixture.declaredInFile(), fixture] {
                    let schema = OutboxSchema(database: declared.database, registry: declared.registry)
                    try await schema.migrate(lanes: declared.settings.lanes)
                    try await declared.fillOutbox()
                    let spent = try await withKafka { broker in
                        try await ContinuousClock().measure { try await declared.relay(to: broker) }
                    }
                    rates.append(Double(records) / seconds(spent))
                }
                return rates
            }
        }
    )
}

extension SourceFixture {
    /// The same database with a declaration that is read from a file.
    fileprivate func declaredInFile() async throws -> SourceFixture {
        let path = URL.temporaryDirectory.appending(path: "dionysus-bench-\(UUID().uuidString).yml")
        try Self.file.write(to: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: path) }
        let producer = try DeclarationFile(path: path.path).producer ?? FileProducer()
        return SourceFixture(
            database: database,
            registry: Registry(producer, settings: settings),
            settings: settings
        )
    }

    /// What ``RentalSync`` says, as a file says it.
    private static let file = """
        dionysus: 1
        models:
          Account:
            columns: { id: integer, name: text, default_check_in_time: integer? }
          Rental:
            columns:
              id: integer
              account_id: integer
              name: text
              price: decimal
              bedrooms: integer
              own_check_in_time: integer?
              canceled_at: timestamp?
              created_at: timestamp
              updated_at: timestamp
            belongs_to:
              account: { model: Account }
        namespaces:
          v3:
            serializers:
              Rental:
                attributes:
                  - id
                  - name
                  - price: { scale: 2 }
                  - bedrooms
                  - check_in_time:
                      type: integer?
                      sql: >
                        coalesce(rental.own_check_in_time,
                          (SELECT a.default_check_in_time FROM accounts a WHERE a.id = rental.account_id))
                  - canceled_at
                  - created_at
                  - updated_at
                links: [account]
            topics:
              rentals: { partition_key: account_id, publish: [Rental] }
        """
}
