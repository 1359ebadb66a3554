extension Setting {
    /// How the consumer works.
    static let consumer: [Setting] = [
        Setting(
            "DIONYSUS_CONSUMER_GROUP_ID",
            \.consumer.groupID,
            .optional,
            "full name of the consumer group; empty: prefix and client id"
        ),
        Setting("DIONYSUS_CONSUMER_GROUP_PREFIX", \.consumer.groupPrefix, .text, "prefix of the consumer group's name"),
        Setting("DIONYSUS_CONSUMER_BATCH_SIZE", \.consumer.batchSize, .number, "maximum number of messages in a batch"),
        Setting("DIONYSUS_CONSUMER_CONCURRENCY", \.consumer.concurrency, .number, "concurrent batches"),
        Setting("DIONYSUS_CONSUMER_MAX_RETRIES", \.consumer.maxRetries, .number, "retries of a failed message"),
        Setting(
            "DIONYSUS_CONSUMER_MAX_RETRY_DELAY_MS",
            \.consumer.maxRetryDelay,
            .milliseconds,
            "maximum delay before a failed message is retried"
        ),
        Setting(
            "DIONYSUS_TOMBSTONE_RETENTION",
            \.consumer.tombstoneRetention,
            .period,
            "how long a replica remembers destroyed records, so that late messages don't restore them"
        ),
        Setting(
            "DIONYSUS_MAX_CLOCK_SKEW",
            \.consumer.maxClockSkew,
            .age,
            "how far ahead of the replica's clock messages may be; empty: no limit"
        ),
        Setting(
            "DIONYSUS_EVENT_RETENTION",
            \.consumer.eventRetention,
            .age,
            "how long handled events stay in the event log; empty: forever"
        ),
        Setting(
            "DIONYSUS_CONSUMER_STUCK_AFTER_MS",
            \.consumer.stuckAfter,
            .milliseconds,
            "time after which a running batch counts as stuck"
        ),
        Setting(
            "DIONYSUS_CONSUMER_LAG_INTERVAL_MS",
            \.consumer.lagInterval,
            .milliseconds,
            "interval between lag measurements"
        ),
        Setting(
            "DIONYSUS_CONTRACT",
            \.contractFile,
            .optional,
            "file with the contract of the consumed topics, written by the producer's contract command"
        ),
        Setting(
            "DIONYSUS_REPLICA_TABLES",
            \.consumer.replicaTables,
            .choice,
            "who creates the replica's tables: application, or managed by migrate from the contract"
        ),
        Setting("DIONYSUS_ON_OUT_OF_RANGE", \.consumer.onOutOfRange, .choice, "what to do when messages were missed"),
    ]

    /// The schema registry.
    static let registry: [Setting] = [
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_URL",
            \.schemaRegistry.urls,
            .urls,
            "the schema registry: http://host:port, several with commas between"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_USER",
            \.schemaRegistry.user,
            .optional,
            "schema registry user name, if its address has none"
        ),
        Setting("DIONYSUS_SCHEMA_REGISTRY_PASSWORD", \.schemaRegistry.password, .secret, "the user's password"),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE",
            \.schemaRegistryPasswordFile,
            .optional,
            "file with the user's password"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_TOKEN",
            \.schemaRegistry.token,
            .secret,
            "a token for the schema registry, in the place of a user"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_CLUSTER",
            \.schemaRegistry.logicalCluster,
            .optional,
            "the cluster that a token is for, in Confluent's cloud"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_IDENTITY_POOL",
            \.schemaRegistry.identityPoolID,
            .optional,
            "the identity pool that a token is for, in Confluent's cloud"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_CA_FILE",
            \.schemaRegistry.caFile,
            .optional,
            "a file with the authorities that the schema registry's certificate is verified with; empty: the system's"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_CERTIFICATE_FILE",
            \.schemaRegistry.certificateFile,
            .optional,
            "a file with the certificate that the schema registry asks for"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_KEY_FILE",
            \.schemaRegistry.keyFile,
            .optional,
            "a file with the certificate's key"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_TIMEOUT_MS",
            \.schemaRegistry.timeout,
            .milliseconds,
            "wait for an answer of the schema registry"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRY_MAX_RETRIES",
            \.schemaRegistry.maxRetries,
            .number,
            "how often a request is sent again when the schema registry is away"
        ),
        Setting(
            "DIONYSUS_SCHEMA_REGISTRATION",
            \.schemaRegistry.registration,
            .choice,
            "how schemas come to be in the registry: at first use, only as they were pushed, or the latest is used"
        ),
        Setting(
            "DIONYSUS_SCHEMA_SUBJECTS",
            \.schemaRegistry.subjects,
            .choice,
            "which subject a schema is registered under"
        ),
        Setting("DIONYSUS_SCHEMA_ID", \.schemaRegistry.idPlacement, .choice, "where messages name their schema"),
        Setting(
            "DIONYSUS_NORMALIZE_SCHEMAS",
            \.schemaRegistry.normalizesSchemas,
            .flag,
            "have the registry take schemas for the same that differ in order and the like"
        ),
    ]

    /// Settings of the broker's client for one side.
    static let clients: [Setting] = [
        Setting(
            "DIONYSUS_CONSUMER_SETTINGS",
            \.consumer.brokerSettings,
            .clientSettings,
            "broker client settings for the consumer"
        ),
        Setting(
            "DIONYSUS_PRODUCER_SETTINGS",
            \.producer.brokerSettings,
            .clientSettings,
            "broker client settings for the producer"
        ),
    ]
}
