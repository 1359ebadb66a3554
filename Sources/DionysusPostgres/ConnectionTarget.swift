import CLibpq
import Dionysus

/// Where to connect, with what libpq needs to know.
struct ConnectionTarget: Sendable {
    /// The connection string, secrets included. It never leaves this module.
    let connectionString: String
    /// Host, port and database, for messages.
    let location: String
    let connectTimeout: Duration
    let applicationName: String

    init(url: String, options: PostgresOptions) throws {
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(url, &message) else {
            PQfreemem(message)
            throw DionysusError(
                .configuration,
                "the PostgreSQL URL can't be understood",
                advice: "write it as postgres://user:password@host:port/database?sslmode=…"
            )
        }
        defer { PQconninfoFree(parsed) }
        var parts: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { parts[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        connectionString = url
        location = "\(parts["host"] ?? parts["hostaddr"] ?? "localhost"):\(parts["port"] ?? "5432")/\(parts["dbname"] ?? "")"
        connectTimeout = options.connectTimeout
        applicationName = options.applicationName
    }
}
