import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusEvents

struct BoardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "board",
        abstract: "Shows the read model.",
        discussion: """
            With --wait it first waits until the board has seen every event up to a global position, as `history` shows \
            it, or one ad's events up to a position, as ID:POSITION.

            JSON: a list of objects with ad_id, title, price (text), state and version.
            """
    )

    @Flag(help: "Print the report as JSON.") var json = false
    @Option(help: "Wait until the board has seen the events up to POSITION, or ID:POSITION.") var wait: WaitedPosition?
    @Option(help: "How many seconds to wait at most.") var timeout = 10

    func run() async throws {
        try await withDatabase { database in
            switch wait {
            case .everything(let position):
                let timeout = Duration.seconds(timeout)
                try await AdStreams.board.wait(forGlobalPosition: position, on: database, timeout: timeout)
            case .ad(let id, let position):
                let appended = Appended(stream: AdStreams.ads.stream(id.text), position: position)
                try await AdStreams.board.wait(for: appended, on: database, timeout: .seconds(timeout))
            case nil: break
            }
            let rows = try await database.transaction(.snapshot) { try AdRow.rows(of: "ad_board", in: &$0) }
            print(json ? Self.json(rows).text : Self.text(rows))
        }
    }

    private static func text(_ rows: [(id: String, row: AdRow)]) -> String {
        tableText(
            ["AD", "TITLE", "PRICE", "STATE", "VERSION"],
            rows.map { [$0.id, $0.row.ad.title, price($0.row), $0.row.ad.state.rawValue, "\($0.row.version)"] }
        )
    }

    private static func json(_ rows: [(id: String, row: AdRow)]) -> JSON {
        .array(
            rows.map { id, row in
                .object([
                    "ad_id": .string(id), "title": .string(row.ad.title), "price": .string(price(row)),
                    "state": .string(row.ad.state.rawValue), "version": .integer(row.version),
                ])
            }
        )
    }

    private static func price(_ row: AdRow) -> String { "\(row.ad.price.rounded(toScale: 2))" }
}

/// What the board has to have seen.
enum WaitedPosition: ExpressibleByArgument {
    case everything(Int64)
    case ad(AdID, Int64)

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let position = parts.last.flatMap({ Int64($0) }), position >= 0 else { return nil }
        if parts.count == 1 {
            self = .everything(position)
        } else {
            guard let id = AdID(argument: parts[0]) else { return nil }
            self = .ad(id, position)
        }
    }
}
