import CLibpq
import Dionysus
import Logging

/// Where and how to connect.
struct ConnectionTarget: Sendable {
    /// Keywords and values for libpq, secrets included.
    ///
    /// They never leave this module.
    let parameters: [(keyword: String, value: String)]
    /// Host, port and database, for messages.
    let location: String
    let statementTimeout: Duration?
    let logger: Logger

    init(url: String, options: PostgresOptions, logger: Logger) throws {
        let connection = try ConnectionString(url)
        // Of two values for a keyword libpq takes the later: the URL can change what stands before it. A connection
        // to a host that vanished without a word is given up after a minute, not after the system's two hours.
        parameters =
            [
                ("connect_timeout", String(max(2, options.connectTimeout.components.seconds))),
                ("application_name", options.applicationName),
                ("keepalives_idle", "30"),
                ("keepalives_interval", "10"),
                ("keepalives_count", "3"),
                ("tcp_user_timeout", "60000"),
                ("dbname", url),
                ("client_encoding", "UTF8"),
            ]
        location = connection.location
        statementTimeout = options.statementTimeout
        self.logger = logger
    }

    /// Makes a connection.
    func connect() throws -> OpaquePointer {
        let (keywords, values) = (parameters.map(\.keyword), parameters.map(\.value))
        let opened = withCStrings(keywords) { keywords in
            withCStrings(values) { values in PQconnectdbParams(keywords, values, 1) }
        }
        guard let opened, PQstatus(opened) == CONNECTION_OK else {
            let error = refused(opened)
            PQfinish(opened)
            throw error
        }
        // A server that reports no version has another protocol; a pooler reports its server's.
        let version = Int(PQserverVersion(opened))
        do {
            if version > 0 {
                try RequiredVersion.postgres.require([version / 10_000, version % 10_000], place: " at \(location)")
            }
        } catch {
            PQfinish(opened)
            throw error
        }
        // Notices ("already exists, skipping") would go to the standard error.
        PQsetNoticeProcessor(opened, { _, _ in }, nil)
        return opened
    }

    private func refused(_ connection: OpaquePointer?) -> DionysusError {
        let reason = firstLine(PQerrorMessage(connection))
        let isWrong = ["authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry"]
            .contains { reason.contains($0) }
        return DionysusError(
            .databaseUnavailable,
            "can't connect to PostgreSQL at \(location): \(reason)",
            advice: "check that the server runs and that host, port, user, password and database are right",
            isRetriable: !isWrong
        )
    }
}
