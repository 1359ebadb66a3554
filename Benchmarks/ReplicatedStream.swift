import Dionysus
import DionysusPostgres
import DionysusSchemas

/// Messages of one topic, and the rows that they result in.
struct ReplicatedStream: Sendable {
    let topic: String
    /// How the topic's messages are written.
    var encoding: TopicEncoding = .envelope
    /// The number of messages, each for one record.
    var count: Int
    let model: String
    let event: String
    /// The payload of a record at a version, in the producer's format.
    let payload: @Sendable (_ id: Int, _ version: Int) -> String
    /// What a record at a version is as a message's value without an envelope, with the encoding's own format.
    var record: (@Sendable (_ id: Int, _ version: Int) throws -> [UInt8])?
    /// The rows of a range of records, for each table.
    let rows: @Sendable (_ ids: ClosedRange<Int>) -> [(table: String, columns: [BulkColumn])]

    /// Sends an event for every record.
    /// - Parameters:
    ///   - version: The version of the records.
    ///   - prefix: The prefix of the topic's name.
    ///   - partitions: The number of partitions.
    ///   - settings: Settings of the broker's client.
    func send(
        _ change: EventName.Change,
        version: Int,
        to broker: any MessageBroker,
        prefix: String = "",
        partitions: Int = 1,
        settings: [String: String] = [:]
    ) async throws {
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "bench", settings: settings))
        for ids in runs(of: 5_000) {
            let messages = try ids.map { id in
                let value = """
                    {"message":[{"event":"\(event)_\(change.rawValue)","model_name":"\(model)",\
                    "data":[\(payload(id, version))]}]}
                    """
                return OutgoingMessage(
                    topic: prefix + topic,
                    destination: .partition(Int32(id % partitions)),
                    key: Array("\(model):\(id)".utf8),
                    value: try record?(id, version) ?? Array(value.utf8),
                    headers: [
                        MessageHeader(HeaderName.version, Array(String(version).utf8)),
                        MessageHeader(HeaderName.event, Array("\(event)_\(change.rawValue)".utf8)),
                    ]
                )
            }
            for result in await producer.send(messages) { _ = try result.get() }
        }
        await producer.close(deadline: .seconds(10))
    }

    /// Writes the same rows directly, in transactions of 2,000 records.
    func upsertAlone(into replica: any Database) async throws {
        for ids in runs(of: 2_000) {
            let statements = rows(ids).map { upsert($0.table, $0.columns, replica.dialect) }
            _ = try await replica.transaction(.write) { try $0.run(statements) }
        }
    }

    private func upsert(_ table: String, _ columns: [BulkColumn], _ dialect: any SQLDialect) -> SQL {
        let names = columns.map(\.name).joined(separator: ", ")
        let values = columns.map { $0.type == .json ? "CAST(\($0.name) AS \(dialect.columnType(.json)))" : $0.name }
        let updates = columns.dropFirst().map { "\($0.name) = excluded.\($0.name)" }.joined(separator: ", ")
        return """
            INSERT INTO \(raw: table) (\(raw: names))
            SELECT \(raw: values.joined(separator: ", ")) FROM \(dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT (synced_id) DO UPDATE SET \(raw: updates)
            """
    }

    /// Empties the tables.
    func clear(_ replica: any Database) async throws {
        for (table, _) in rows(1...1) { try await execute(replica, "DELETE FROM \(identifier: table)") }
        if let postgres = replica as? PostgresDatabase { try await postgres.outsideTransaction("VACUUM") }
    }

    private func runs(of length: Int) -> [ClosedRange<Int>] {
        stride(from: 1, through: count, by: length).map { $0...min($0 + length - 1, count) }
    }
}

extension ReplicatedStream {
    /// A number of rentals.
    static func rentals(_ count: Int) -> ReplicatedStream {
        var rentals = rentals
        rentals.count = count
        return rentals
    }

    /// Rentals with eight attributes and one link.
    static let rentals = ReplicatedStream(topic: "v3_rentals", count: 50_000, model: "Rental", event: "rental") {
        id,
        version in
        """
        {"id":\(id),"name":"Villa number \(id)","price":"\(100 + version).50","bedrooms":\(id % 7),\
        "check_in_time":15,"canceled_at":null,"created_at":"2026-11-21T03:59:48.440000Z",\
        "updated_at":"2026-11-21T04:00:0\(version).440000Z","links":{"account":\(id % 1_000)}}
        """
    } rows: { ids in
        let data = ids.map { id in
            """
            {"synced_id":\(id),"name":"Villa number \(id)","price":"103.50","bedrooms":\(id % 7),"check_in_time":15,\
            "synced_canceled_at":null,"synced_created_at":"2026-11-21T03:59:48.440000Z",\
            "synced_updated_at":"2026-11-21T04:00:03.440000Z","synced_account_id":\(id % 1_000)}
            """
        }
        let columns =
            recordColumns(ids, data: data) + [
                BulkColumn("name", .text, ids.map { .text("Villa number \($0)") }),
                BulkColumn("price", .decimal, ids.map { .decimal(ExactDecimal(unscaled: Int128($0), scale: 2)) }),
                BulkColumn("bedrooms", .integer, ids.map { .integer(Int64($0 % 7)) }),
                BulkColumn("check_in_time", .integer, ids.map { _ in .integer(15) }),
                BulkColumn("synced_account_id", .integer, ids.map { .integer(Int64($0 % 1_000)) }),
            ]
        return [("rentals", columns)]
    }

    /// The same rentals as records in Avro, by the schema that is derived for them.
    static func avroRentals() throws -> ReplicatedStream {
        let text = """
            {"type":"record","name":"Rental","namespace":"v3","fields":[{"name":"id","type":"long"},\
            {"name":"name","type":["null","string"]},\
            {"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}]},\
            {"name":"bedrooms","type":["null","long"]},{"name":"check_in_time","type":["null","long"]},\
            {"name":"canceled_at","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},\
            {"name":"created_at","type":{"type":"long","logicalType":"timestamp-micros"}},\
            {"name":"updated_at","type":{"type":"long","logicalType":"timestamp-micros"}},\
            {"name":"account_id","type":["null","long"]}]}
            """
        let schema = try AvroSchema(parsing: text)
        var rentals = rentals
        rentals.encoding = .record(.avro(.text(text), framing: .singleObject))
        rentals.record = { id, version in
            let record: JSON = [
                "id": .integer(Int64(id)), "name": .string("Villa number \(id)"),
                "price": .string("\(100 + version).50"),
                "bedrooms": .integer(Int64(id % 7)), "check_in_time": 15, "canceled_at": .null,
                "created_at": "2026-11-21T03:59:48.440000Z",
                "updated_at": .string("2026-11-21T04:00:0\(version).440000Z"),
                "account_id": .integer(Int64(id % 1_000)),
            ]
            return try AvroSingleObject.encode(schema.coerce(record), with: schema)
        }
        return rentals
    }

    /// Bookings with three sideloaded fees each.
    static let bookings = ReplicatedStream(topic: "v3_bookings", count: 20_000, model: "Booking", event: "booking") {
        id,
        version in
        let fees = (1...3)
            .map { number in
                """
                {"id":\(id * 3 + number),"name":"Fee \(number)","amount":"\(version)\(number).00",\
                "created_at":"2026-11-21T03:59:48.440000Z","updated_at":"2026-11-21T04:00:0\(version).440000Z",\
                "links":{"booking":\(id)}}
                """
            }
        return """
            {"id":\(id),"start_at":"2027-07-01T15:00:00.000000Z","final_price":"\(100 + version).50",\
            "canceled_at":null,"created_at":"2026-11-21T03:59:48.440000Z",\
            "updated_at":"2026-11-21T04:00:0\(version).440000Z",\
            "links":{"rental":\(id % 1_000),"bookings_fees":[\(id * 3 + 1),\(id * 3 + 2),\(id * 3 + 3)]},\
            "bookings_fees":[\(fees.joined(separator: ","))]}
            """
    } rows: { ids in
        let data = ids.map { id in
            """
            {"synced_id":\(id),"start_at":"2027-07-01T15:00:00.000000Z","final_price":"103.50",\
            "synced_canceled_at":null,"synced_created_at":"2026-11-21T03:59:48.440000Z",\
            "synced_updated_at":"2026-11-21T04:00:03.440000Z","synced_rental_id":\(id % 1_000),\
            "synced_bookings_fee_ids":[\(id * 3 + 1),\(id * 3 + 2),\(id * 3 + 3)]}
            """
        }
        let fees = Array((ids.lowerBound * 3 + 1)...(ids.upperBound * 3 + 3))
        let feeData = fees.map { id in
            """
            {"synced_id":\(id),"name":"Fee","amount":"31.00","synced_created_at":"2026-11-21T03:59:48.440000Z",\
            "synced_updated_at":"2026-11-21T04:00:03.440000Z","synced_booking_id":\((id - 1) / 3)}
            """
        }
        let price = DatabaseValue.decimal(ExactDecimal(unscaled: 10_350, scale: 2))
        return [
            (
                "bookings",
                recordColumns(ids, data: data) + [
                    BulkColumn("start_at", .timestamp, ids.map { _ in .timestamp(recordTime) }),
                    BulkColumn("final_price", .decimal, ids.map { _ in price }),
                    BulkColumn("synced_rental_id", .integer, ids.map { .integer(Int64($0 % 1_000)) }),
                ]
            ),
            (
                "bookings_fees",
                recordColumns(fees, data: feeData) + [
                    BulkColumn("name", .text, fees.map { _ in .text("Fee") }),
                    BulkColumn("amount", .decimal, fees.map { _ in price }),
                    BulkColumn("synced_booking_id", .integer, fees.map { .integer(Int64(($0 - 1) / 3)) }),
                ]
            ),
        ]
    }
}

private let recordTime = Timestamp(microseconds: 1_795_233_588_440_000)

/// The standard replica columns.
private func recordColumns(_ ids: some Collection<Int>, data: [String]) -> [BulkColumn] {
    [
        BulkColumn("synced_id", .integer, ids.map { .integer(Int64($0)) }),
        BulkColumn("synced_created_at", .timestamp, ids.map { _ in .timestamp(recordTime) }),
        BulkColumn("synced_updated_at", .timestamp, ids.map { _ in .timestamp(recordTime) }),
        BulkColumn("synced_version", .integer, ids.map { _ in .integer(3) }),
        BulkColumn("synced_data", .json, data.map { .json($0) }),
    ]
}
