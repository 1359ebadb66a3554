import ArgumentParser
import Dionysus
import DionysusProducer

struct TombstoneCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "tombstone",
            abstract: "Removes a record from a compacted topic: sends messages without a value under its key.",
            discussion: """
                Every partition of the topic and of its genesis topic gets one, because a record whose partition key \
                has changed has messages in several partitions. Consumers ignore tombstones by default: the destroyed \
                event is what ends a record.

                Responders' messages may have a key other than MODEL:ID: --key names it.

                A record that is still visible in the source, or has unpublished changes, is refused. JSON: a list of \
                objects with topic, partition and offset.
                """
        )
    }

    @Argument(help: "The full name of the topic: v3_rentals.") var topic: String
    @Argument(help: "The name of the model: Rental.") var model: String?
    @Argument(help: "The record's primary key.") var id: String?
    @Option(help: "The message key, if it isn't MODEL:ID: RecordsCollection:1. MODEL and ID may be left out then.")
    var key: String?
    @Option(help: "Send it only to the partition of this partition key.") var partitionKey: String?
    @Flag(help: "Send it even if the record exists or has unpublished changes.") var force = false
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        guard (model == nil) == (id == nil), key != nil || model != nil else {
            throw ValidationError("give MODEL and ID, or --key, or both")
        }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.source, .broker])
        let (source, broker) = (try environment.source(), try environment.broker())
        let publisher = TombstonePublisher(
            environment.registry,
            database: source,
            broker: broker,
            settings: environment.settings.producer
        )
        do {
            let tombstones = try await publish(with: publisher)
            await broker.close()
            await source.close()
            print(json ? Self.json(tombstones).text : Self.text(tombstones))
        } catch let error as DionysusError where error.code == .notFound || error.code == .malformed {
            printError("Error: \(error)")
            throw ExitCode.validationFailure
        }
    }

    private func publish(with publisher: TombstonePublisher) async throws -> [TombstonePublisher.Tombstone] {
        if let model, let id {
            return try await publisher.publish(
                model,
                id: id,
                topic: topic,
                partitionKey: partitionKey,
                key: key,
                force: force
            )
        }
        return try await publisher.publish(key: key ?? "", topic: topic, partitionKey: partitionKey, force: force)
    }

    private static func text(_ tombstones: [TombstonePublisher.Tombstone]) -> String {
        tableText(
            ["TOPIC", "PARTITION", "OFFSET"],
            tombstones.map { [$0.partition.topic, "\($0.partition.partition)", "\($0.offset)"] }
        )
    }

    private static func json(_ tombstones: [TombstonePublisher.Tombstone]) -> JSON {
        .array(
            tombstones.map { tombstone in
                .object([
                    "topic": .string(tombstone.partition.topic),
                    "partition": .integer(Int64(tombstone.partition.partition)), "offset": .integer(tombstone.offset),
                ])
            }
        )
    }
}
