extension Setting {
    /// What is published, and how the relay works.
    static let producer: [Setting] = [
        Setting(
            "DIONYSUS_CREATE_TOPICS",
            \.producer.createsTopics,
            .flag,
            "whether a relay creates missing declared topics before it publishes"
        ),
        Setting("DIONYSUS_TOPIC_PREFIX", \.producer.topicPrefix, .text, "prefix of every topic's name"),
        Setting(
            "DIONYSUS_DEFAULT_PARTITION_KEY",
            \.producer.defaultPartitionKey,
            .optional,
            "partition key of topics that declare none; empty: no partition key"
        ),
        Setting(
            "DIONYSUS_SOFT_DELETE_COLUMN",
            \.producer.softDeleteColumn,
            .text,
            "soft-delete column of models that name none, applied by migrate"
        ),
        Setting(
            "DIONYSUS_RECORD_CHANGES",
            \.producer.recordsChanges,
            .flag,
            "whether this process's recorders record changes; does not affect triggers"
        ),
        Setting("DIONYSUS_PARTITIONER", \.producer.partitioner, .choice, "how partition keys map to partitions"),
        Setting(
            "DIONYSUS_WIRE",
            \.producer.wire,
            .optionalChoice(),
            "format of numbers, times and text; empty: dionysus-rb's if it created the outbox"
        ),
        Setting(
            "DIONYSUS_TIME_FRACTION_DIGITS",
            \.producer.timeFractionDigits,
            .number,
            "fractional digits of seconds in times"
        ),
        Setting(
            "DIONYSUS_OUTBOX_TABLE",
            \.outboxTable,
            .text,
            "the outbox table, NAME or SCHEMA.NAME, applied by migrate"
        ),
        Setting("DIONYSUS_LANES", \.producer.lanes, .number, "number of outbox lanes, applied by migrate"),
        Setting("DIONYSUS_WORKERS", \.producer.workers, .number, "concurrent batches of a relay"),
        Setting("DIONYSUS_BATCH_SIZE", \.producer.batchSize, .number, "maximum number of outbox rows in a batch"),
        Setting(
            "DIONYSUS_POLL_INTERVAL_MS",
            \.producer.pollInterval,
            .milliseconds,
            "polling interval of an idle relay"
        ),
        Setting("DIONYSUS_WAKE_UP", \.producer.wakesUp, .flag, "whether changes wake an idle relay"),
        Setting(
            "DIONYSUS_PUBLISHING_DELAY_MS",
            \.producer.publishingDelay,
            .milliseconds,
            "minimum age of a row before the relay publishes it"
        ),
        Setting(
            "DIONYSUS_PUBLISH_AFTER_COMMIT",
            \.producer.publishesAfterCommit,
            .flag,
            "whether this process publishes its changes right after the commit"
        ),
        Setting(
            "DIONYSUS_REMOVE_CONSECUTIVE_DUPLICATES",
            \.producer.removesConsecutiveDuplicates,
            .flag,
            "whether only the last of a record's consecutive rows with the same event is published"
        ),
        Setting(
            "DIONYSUS_OBSERVERS_INLINE_MAXIMUM_SIZE",
            \.producer.observersInlineMaximumSize,
            .number,
            "maximum number of records that an observed change publishes directly; a genesis run publishes more"
        ),
        Setting("DIONYSUS_MAX_ATTEMPTS", \.producer.maxAttempts, .number, "attempts before a row is parked"),
        Setting(
            "DIONYSUS_MAX_RETRY_DELAY_MS",
            \.producer.maxRetryDelay,
            .milliseconds,
            "maximum delay before a failed row is retried"
        ),
        Setting("DIONYSUS_ON_FAILURE", \.producer.onFailure, .choice, "what waits behind a failed row"),
        Setting(
            "DIONYSUS_MESSAGE_TIMEOUT_MS",
            \.producer.messageTimeout,
            .milliseconds,
            "maximum wait for an acknowledgement"
        ),
        Setting(
            "DIONYSUS_LEASE_TIMEOUT_MS",
            \.producer.leaseTimeout,
            .milliseconds,
            "idle time after which a lane is lost"
        ),
        Setting(
            "DIONYSUS_DELETE_PUBLISHED_ROWS",
            \.producer.deletesPublishedRows,
            .flag,
            "whether published rows are deleted at once"
        ),
        Setting(
            "DIONYSUS_TOPIC_PARTITIONS",
            \.producer.topics.partitions,
            .optionalNumber,
            "partitions of topics that declare none; empty: 4"
        ),
        Setting(
            "DIONYSUS_TOPIC_REPLICATION_FACTOR",
            \.producer.topics.replicationFactor,
            .optionalNumber,
            "replication factor of topics that declare none; empty: the broker's default"
        ),
        Setting(
            "DIONYSUS_TOPIC_SETTINGS",
            \.producer.topics.values,
            .topicSettings,
            "topic-level broker settings for new topics"
        ),
        Setting("DIONYSUS_RETENTION", \.producer.retention, .age, "how long published rows are kept; empty: forever"),
        Setting("DIONYSUS_CAPTURE", \.producer.capture, .choice, "whether changes are captured, applied by migrate"),
        Setting(
            "DIONYSUS_CAPTURE_SUPPRESSION_ROLE",
            \.producer.captureSuppressionRole,
            .optional,
            "the PostgreSQL role whose members may suppress capture, applied by migrate; empty: the outbox's owner"
        ),
        Setting(
            "DIONYSUS_CHANGESET_KEYS",
            \.producer.changesetKeys,
            .changesetKeys,
            "keys that encrypt changesets: ID:BASE64;ID:BASE64"
        ),
        Setting(
            "DIONYSUS_PUBLISHER_SERVICE_NAME",
            \.producer.publisherServiceName,
            .optional,
            "this application's name in genesis events; empty: the client id"
        ),
        Setting(
            "DIONYSUS_GENESIS_CHUNK_SIZE",
            \.producer.genesisChunkSize,
            .number,
            "number of records in a chunk of a genesis run"
        ),
        Setting(
            "DIONYSUS_GENESIS_MAX_PENDING_ROWS",
            \.producer.genesisMaxPendingRows,
            .number,
            "maximum number of a genesis run's rows that wait in the outbox"
        ),
        Setting(
            "DIONYSUS_VERIFICATION_INTERVAL",
            \.producer.verificationInterval,
            .age,
            "how often a relay starts a verification of every published model; empty: never"
        ),
        Setting(
            "DIONYSUS_GENESIS_SAFETY_DELAY_MS",
            \.producer.genesisSafetyDelay,
            .milliseconds,
            "delay added to the reported end of a genesis run"
        ),
    ]
}
