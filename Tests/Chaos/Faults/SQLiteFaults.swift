import Dionysus
import DionysusSQLite
import Foundation
import TestSupport

extension Fault {
    static let sqliteFaults = [
        Fault(
            name: "locked-file",
            summary: "another program holds a file's write lock for seconds",
            systems: [.embedded]
        ) {
            system,
            random in
            let urls = [system.places.directSource, system.places.directReplica, system.places.directBroker]
            for url in urls.shuffled(using: &random) {
                guard let path = url.split(separator: ":", maxSplits: 1).last else { continue }
                let seconds = Int.random(in: 2...6, using: &random)
                // A program of its own, as whoever holds a lock for so long is.
                let script = "BEGIN IMMEDIATE;\n.shell sleep \(seconds)\nCOMMIT;\n"
                _ = await
                    (try RunningProcess(
                        "sqlite3",
                        ["-cmd", ".timeout 30000", String(path)],
                        environment: [:],
                        input: script
                    ))
                    .result()
            }
        }
    ]
}
