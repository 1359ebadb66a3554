import ArgumentParser
import Dionysus
import DionysusProducer

struct PreviewCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "preview",
            abstract: "Shows the message that would be published for a record now.",
            discussion: """
                The record is loaded and serialized as the relay does it; nothing is written or sent. The event is an \
                update, or, for a soft-deleted record, its destruction. Headers that are assigned at publishing have \
                no value yet.

                Exits with 1 if there is no such record. JSON: an object with topics, key, partition_key (null if the \
                message key decides), headers (a list of objects with name and value, which may be null) and value.
                """
        )
    }

    @Argument(help: "The full name of the topic: v3_rentals.") var topic: String
    @Argument(help: "The name of the model: Rental.") var model: String
    @Argument(help: "The record's primary key.") var id: String
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let source = try environment.source()
        let preview: MessagePreview?
        do {
            preview = try await MessagePreview.of(
                model,
                id: id,
                in: topic,
                environment.registry,
                database: source,
                settings: environment.settings.producer
            )
        } catch let error as DionysusError where error.code == .notFound || error.code == .malformed {
            await source.close()
            printError("Error: \(error)")
            throw ExitCode.validationFailure
        } catch {
            await source.close()
            throw error
        }
        await source.close()
        guard let preview else {
            throw DionysusError(
                .notFound,
                "there is no \(model) with the primary key \(id)",
                advice: "check the key and the database; a deleted record can't be previewed"
            )
        }
        print(try json ? Self.json(preview).text : Self.text(preview))
    }

    private static func text(_ preview: MessagePreview) -> String {
        var rows = [
            ["topic", preview.topics.joined(separator: ", ")], ["key", preview.key],
            ["partition key", preview.partitionKey ?? "- (the message key decides)"],
        ]
        rows += preview.headers.map { ["header \($0.name)", $0.value ?? "- (given when it is published)"] }
        rows.append(["value", String(decoding: preview.value, as: UTF8.self)])
        return tableText(["FIELD", "VALUE"], rows)
    }

    private static func json(_ preview: MessagePreview) throws -> JSON {
        .object([
            "topics": .array(preview.topics.map(JSON.string)), "key": .string(preview.key),
            "partition_key": preview.partitionKey.map(JSON.string) ?? .null,
            "headers": .array(
                preview.headers.map { header in
                    .object(["name": .string(header.name), "value": header.value.map(JSON.string) ?? .null])
                }
            ),
            "value": try JSON(parsing: preview.value),
        ])
    }
}
