import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusEvents

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Shows an ad's events with their positions.",
        discussion: """
            GLOBAL is the number of the event among those of all ads; an event has it once the relay, or a reader, has \
            seen it.

            JSON: a list of objects with position, global_position (or null), id, type, version, data and created_at.
            """
    )

    @Argument(help: "The ad's id.") var id: AdID
    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        try await withDatabase { database in
            let stream = AdStreams.ads.stream(id.text)
            let events = try await AdStreams.store.read(stream, withGlobalPositions: true, on: database)
            guard !events.isEmpty else { throw Forbidden("there is no such ad") }
            print(json ? Self.json(events).text : Self.text(events))
        }
    }

    private static func text(_ events: [RecordedEvent]) -> String {
        tableText(
            ["POSITION", "GLOBAL", "EVENT", "DATA", "AT"],
            events.map { event in
                [
                    "\(event.position)", event.globalPosition.map { "\($0)" } ?? "-", event.type, event.data.text,
                    "\(event.createdAt)",
                ]
            }
        )
    }

    private static func json(_ events: [RecordedEvent]) -> JSON {
        .array(
            events.map { event in
                .object([
                    "position": .integer(event.position),
                    "global_position": event.globalPosition.map(JSON.integer) ?? .null,
                    "id": .string(event.id.uuidString.lowercased()), "type": .string(event.type),
                    "version": .integer(Int64(event.version)), "data": event.data,
                    "created_at": .string("\(event.createdAt)"),
                ])
            }
        )
    }
}
