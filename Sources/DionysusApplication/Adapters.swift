import Dionysus
import DionysusSchemas
import Logging

import struct Foundation.URL

#if SQLite
import DionysusEmbedded
import DionysusSQLite
#endif
#if PostgreSQL
import DionysusPostgres
#endif
#if Kafka
import DionysusKafka
#endif
#if Registry
import DionysusRegistry
#endif

/// The address of a database: `sqlite:PATH`, or `postgres://…`.
enum DatabaseAddress {
    case sqlite(path: String)
    case postgres(url: String)

    /// Reads an address.
    /// - Parameter variable: The variable that holds it, for the error.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` for anything else.
    init(_ url: String, variable: String) throws {
        if let path = url.suffix(after: "sqlite:"), !path.isEmpty {
            self = .sqlite(path: path)
        } else if url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") {
            self = .postgres(url: url)
        } else {
            throw DionysusError(
                .configuration,
                "\(variable) is neither sqlite:PATH nor postgres://user:password@host:port/database",
                advice: "correct the variable"
            )
        }
    }

    /// Opens the database.
    /// - Parameters:
    ///   - connections: The most connections to a server.
    ///   - applicationName: What the server's list of sessions shows.
    func open(
        outbox: OutboxTables,
        connections: Int,
        applicationName: String,
        logger: Logger
    ) throws -> any CapturingDatabase {
        switch self {
        case .sqlite(let path):
            #if SQLite
            var options = SQLiteOptions()
            options.outbox = outbox
            return try SQLiteDatabase(path: path, options: options)
            #else
            throw leftOut("SQLite", what: "the database \(path)")
            #endif
        case .postgres(let url):
            #if PostgreSQL
            var options = PostgresOptions(maxConnections: connections)
            options.outbox = outbox
            options.applicationName = applicationName
            return try PostgresDatabase(url: url, options: options, logger: logger)
            #else
            throw leftOut("PostgreSQL", what: "a PostgreSQL server")
            #endif
        }
    }

    /// Where the database is, without secrets: what tells it from others on the machine.
    var location: String {
        get throws {
            switch self {
            case .sqlite(let path): return URL(filePath: path).standardizedFileURL.path
            case .postgres(let url):
                #if PostgreSQL
                return try PostgresDatabase(url: url).location
                #else
                throw leftOut("PostgreSQL", what: "a PostgreSQL server")
                #endif
            }
        }
    }
}

/// Connects to the broker at an address: `embedded:PATH`, or a Kafka cluster's servers.
func connectBroker(_ address: String, settings: [String: String], logger: Logger) throws -> any MessageBroker {
    if let path = address.suffix(after: "embedded:") {
        #if SQLite
        return try EmbeddedBroker(path: path)
        #else
        throw leftOut("SQLite", what: "the embedded log \(path)")
        #endif
    }
    #if Kafka
    return try KafkaBroker(bootstrapServers: address, settings: settings, logger: logger)
    #else
    throw leftOut("Kafka", what: "a Kafka cluster")
    #endif
}

/// A client of the schema registry.
func connectRegistry(_ settings: SchemaRegistrySettings) throws -> SchemaRegistryClient {
    #if Registry
    return try SchemaRegistryClient(settings)
    #else
    throw leftOut("Registry", what: "a schema registry")
    #endif
}

/// The dialect for printing SQL of a database that need not be there.
enum PrintedDialect {
    static func postgres() throws -> any SQLDialect {
        #if PostgreSQL
        return PostgresDialect()
        #else
        throw leftOut("PostgreSQL", what: "its SQL")
        #endif
    }

    static func sqlite() throws -> any SQLDialect {
        #if SQLite
        return SQLiteDialect()
        #else
        throw leftOut("SQLite", what: "its SQL")
        #endif
    }
}

/// How addresses and settings of brokers and servers may be shown, and what to warn of in them.
enum AddressDisplay {
    /// A PostgreSQL URL without its secrets.
    static func postgres(_ url: String) -> String {
        #if PostgreSQL
        return (try? ConnectionString(url))?.shown ?? "***"
        #else
        return "***"
        #endif
    }

    /// What is unprotected about a PostgreSQL URL.
    static func caution(postgres url: String) -> String? {
        #if PostgreSQL
        return (try? ConnectionString(url))?.caution
        #else
        return nil
        #endif
    }

    /// What is unprotected about a broker's settings.
    static func caution(broker settings: [String: String], servers: String) -> String? {
        #if Kafka
        return SettingsDisplay.caution(settings, servers: servers)
        #else
        return nil
        #endif
    }

    /// Settings of the broker's client without their secrets.
    static func shown(_ settings: [String: String]) -> [String] {
        #if Kafka
        return SettingsDisplay.shown(settings)
        #else
        return settings.keys.sorted().map { "\($0)=***" }
        #endif
    }

    /// Whether the broker's client has a setting of this name.
    static func exists(_ setting: String) -> Bool {
        #if Kafka
        return SettingsDisplay.exists(setting)
        #else
        return true
        #endif
    }
}

/// What a program lacks that was built without a trait.
func leftOut(_ trait: String, what: String) -> DionysusError {
    DionysusError(
        .configuration,
        "this program was built without \(trait), and is to use \(what)",
        advice: "depend on the package with its trait \(trait)"
    )
}

extension String {
    /// What follows a prefix, or nil if the text doesn't begin with it.
    fileprivate func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
