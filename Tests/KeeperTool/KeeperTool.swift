import Dionysus
import DionysusApplication
import DionysusConsumer
import Foundation
import Logging

struct WidgetMirror: Consumer {
    var namespaces: [Namespace] { Namespace("v1") { Topic("widgets") } }
}

@main struct KeeperTool: DionysusApplication {
    static let name = variable("KEEPER_NAME") ?? "keeper"
    let consumer = WidgetMirror()

    /// Like an application with its own logging.
    private static let logging: Void = {
        switch variable("KEEPER_LOGGING") {
        case "stream": LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        case "own": LoggingSystem.bootstrap { OwnLogHandler(label: $0) }
        default: break
        }
    }()

    init() { Self.logging }

    var settings: ApplicationSettings {
        var settings = ApplicationSettings()
        if let client = Self.variable("KEEPER_CLIENT") { settings.consumer.clientID = client }
        return settings
    }

    func migrateReplica(_ transaction: inout Transaction) throws {
        try transaction.run(
            "CREATE TABLE IF NOT EXISTS widgets (id serial PRIMARY KEY, synced_id integer UNIQUE, name text, synced_data text)"
        )
    }

    private static func variable(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }
}

struct OwnLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.debug
    var metadata = Logger.Metadata()

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { FileHandle.standardError.write(Data("own \(event.message)\n".utf8)) }
}
