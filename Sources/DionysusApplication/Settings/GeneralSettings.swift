extension Setting {
    /// Where data is, and what all processes share.
    static let processes: [Setting] = [
        Setting("SOURCE_DATABASE_URL", \.sourceDatabaseURL, .url, "the database whose changes are published"),
        Setting("REPLICA_DATABASE_URL", \.replicaDatabaseURL, .url, "the database that holds the replica"),
        Setting(
            "DIONYSUS_SEED_BROKER",
            \.seedBroker,
            .broker,
            "embedded:PATH, or host:port;host:port of a Kafka cluster"
        ),
        Setting(
            "DIONYSUS_DATABASE_CONNECTIONS",
            \.databaseConnections,
            .number,
            "maximum number of PostgreSQL connections for a process's transactions"
        ),
        Setting(
            "DIONYSUS_MEMORY_BUDGET",
            \.memoryBudget,
            .memory,
            "approximate memory for the rows and messages that a process is working on"
        ),
        Setting(
            "DIONYSUS_CLIENT_ID",
            \.producer.clientID,
            .text,
            "identifies this application to the broker; part of the consumer group's name"
        ),
        Setting("DIONYSUS_LOG_LEVEL", \.logLevel, .choice, "minimum severity of logged messages"),
        Setting("DIONYSUS_LOG_FORMAT", \.logFormat, .choice, "format of log messages"),
        Setting(
            "DIONYSUS_HEARTBEAT_DIRECTORY",
            \.heartbeatDirectory,
            .optional,
            "directory for heartbeat files; empty: a private directory of the user"
        ),
    ]

    /// Probes, metrics and the console.
    static let http: [Setting] = [
        Setting("DIONYSUS_HTTP_HOST", \.http.host, .text, "the address that probes and metrics are served on"),
        Setting(
            "DIONYSUS_HTTP_PORT",
            \.http.port,
            .optionalNumber,
            "the port on which relay and consumer serve probes and metrics; empty: none"
        ),
        Setting(
            "DIONYSUS_HTTP_TOKEN",
            \.http.token,
            .secret,
            "what requests for metrics and reasons have to show; needed where others can reach the address"
        ),
        Setting("DIONYSUS_CONSOLE_HOST", \.console.host, .text, "the address that the console is served on"),
        Setting("DIONYSUS_CONSOLE_PORT", \.console.port, .number, "the port that the console is served on"),
        Setting(
            "DIONYSUS_CONSOLE_BASE_PATH",
            \.console.basePath,
            .text,
            "the path of the console's pages behind a proxy, such as /dionysus"
        ),
        Setting(
            "DIONYSUS_CONSOLE_TOKENS",
            \.console.tokens,
            .tokens,
            "who may use the console; needed where others can reach the address"
        ),
        Setting(
            "DIONYSUS_CONSOLE_TRUSTED_HEADER",
            \.console.trustedHeader,
            .optional,
            "the header in which a proxy says who asks: X-Forwarded-User"
        ),
        Setting(
            "DIONYSUS_CONSOLE_TRUSTED_ROLE",
            \.console.trustedRole,
            .choice,
            "the role of users that the proxy names"
        ),
        Setting(
            "DIONYSUS_CONSOLE_TRUSTED_PROXIES",
            \.console.trustedProxies,
            .list,
            "the addresses of proxies whose header is believed"
        ),
        Setting(
            "DIONYSUS_CONSOLE_HOST_NAMES",
            \.console.hostNames,
            .list,
            "the names under which a console without tokens is reached, besides the machine's own"
        ),
        Setting(
            "DIONYSUS_CONSOLE_READ_ONLY",
            \.console.isReadOnly,
            .flag,
            "whether nothing can be changed in the console"
        ),
        Setting(
            "DIONYSUS_CONSOLE_MASK",
            \.console.maskedMembers,
            .list,
            "the members of payloads, and columns, whose values the console doesn't show"
        ),
        Setting(
            "DIONYSUS_CONSOLE_SECURE_COOKIES",
            \.console.usesSecureCookies,
            .flag,
            "whether the console's cookies are sent over TLS only"
        ),
        Setting(
            "DIONYSUS_CONSOLE_SAMPLES",
            \.console.recordsSamples,
            .flag,
            "whether relay and consumer write figures to their databases, for the console's charts"
        ),
    ]

    /// The broker, for both sides.
    static let broker: [Setting] = [
        Setting("DIONYSUS_BROKER_SETTINGS", \.brokerSettings, .clientSettings, "broker client settings for both sides"),
        Setting(
            "DIONYSUS_BROKER_SETTINGS_FILE",
            \.brokerAccess.settingsFile,
            .optional,
            "file with broker client settings, one name=value per line"
        ),
        Setting("DIONYSUS_BROKER_USER", \.brokerAccess.user, .optional, "Kafka user name"),
        Setting("DIONYSUS_BROKER_PASSWORD", \.brokerAccess.password, .secret, "Kafka password"),
        Setting(
            "DIONYSUS_BROKER_PASSWORD_FILE",
            \.brokerAccess.passwordFile,
            .optional,
            "file with the Kafka password"
        ),
        Setting(
            "DIONYSUS_BROKER_CA_FILE",
            \.brokerAccess.caFile,
            .optional,
            "file with the CA certificates that verify Kafka; empty: the system's"
        ),
        Setting(
            "DIONYSUS_BROKER_SASL_MECHANISM",
            \.brokerAccess.mechanism,
            .optional,
            "SASL mechanism; empty: PLAIN if a user is set"
        ),
        Setting(
            "DIONYSUS_BROKER_SECURITY_PROTOCOL",
            \.brokerAccess.securityProtocol,
            .optional,
            "plaintext, ssl, sasl_plaintext or sasl_ssl; empty: sasl_ssl if a user is set, ssl if a CA is"
        ),
    ]
}
