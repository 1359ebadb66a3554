import Configuration
import Dionysus
import DionysusKafka
import DionysusPostgres
import DionysusProducer
import DionysusSchemas
import Foundation
import Logging

/// Where a setting's value stands.
typealias SettingPath<Value> = any WritableKeyPath<ApplicationSettings, Value> & Sendable

/// One setting: its name in the environment, and how it is read and shown.
struct Setting: Sendable {
    let name: String
    /// Where it stands in ``ApplicationSettings``: `producer.batchSize`.
    let place: String
    let isSecret: Bool
    let summary: String
    /// What a text of it has to be.
    let expected: String
    let show: @Sendable (ApplicationSettings) -> String
    /// Returns what is wrong with the text, if anything is.
    let parse: @Sendable (String, inout ApplicationSettings) -> String?

    private init<Value: Sendable>(
        _ name: String,
        _ path: SettingPath<Value>,
        _ summary: String,
        isSecret: Bool = false,
        expects expected: String,
        show: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.name = name
        self.summary = summary
        self.expected = expected
        place = "\(path)".replacing(#/^\\\w+\./#, with: "")
        self.isSecret = isSecret
        self.show = { show($0[keyPath: path]) }
        self.parse = { text, settings in
            guard let value = parse(text) else { return "\(name) must be \(expected)" }
            settings[keyPath: path] = value
            return nil
        }
    }

    /// The side that it is for; nil for both.
    var side: Side? {
        switch name {
        case "SOURCE_DATABASE_URL": .producer
        case "REPLICA_DATABASE_URL": .consumer
        // Set for the producer, and taken over by the consumer.
        case "DIONYSUS_CLIENT_ID", "DIONYSUS_TOPIC_PREFIX": nil
        case "DIONYSUS_CONTRACT": .consumer
        default: place.hasPrefix("producer.") ? .producer : place.hasPrefix("consumer.") ? .consumer : nil
        }
    }

    /// The name as swift-configuration has it.
    var key: ConfigKey { ConfigKey(name.lowercased().replacing("_", with: ".")) }

    static let all: [Setting] = [
        .url("SOURCE_DATABASE_URL", \.sourceDatabaseURL, "the database whose changes are published"),
        .url("REPLICA_DATABASE_URL", \.replicaDatabaseURL, "the database that holds the replica"),
        .broker("DIONYSUS_SEED_BROKER", \.seedBroker, "embedded:PATH, or host:port;host:port of a Kafka cluster"),
        .number(
            "DIONYSUS_DATABASE_CONNECTIONS",
            \.databaseConnections,
            "PostgreSQL connections that the transactions of a process use at once"
        ),
        .memory(
            "DIONYSUS_MEMORY_BUDGET",
            \.memoryBudget,
            "memory that the rows and messages under way in a process may take, about"
        ),
        .text(
            "DIONYSUS_CLIENT_ID",
            \.producer.clientID,
            "names this application to the broker, and its consumer's group"
        ),
        .choice("DIONYSUS_LOG_LEVEL", \.logLevel, "the least severe messages that are logged"),
        .choice("DIONYSUS_LOG_FORMAT", \.logFormat, "how messages are logged"),
        .optional(
            "DIONYSUS_HEARTBEAT_DIRECTORY",
            \.heartbeatDirectory,
            "where relay and consumer show that they are at work; empty: a directory of the user's own"
        ),
        .clientSettings(
            "DIONYSUS_BROKER_SETTINGS",
            \.brokerSettings,
            "settings of the broker's client, for both sides"
        ),
        .optional(
            "DIONYSUS_BROKER_SETTINGS_FILE",
            \.brokerAccess.settingsFile,
            "a file with settings of the broker's client, a line name=value each"
        ),
        .optional("DIONYSUS_BROKER_USER", \.brokerAccess.user, "the user that Kafka is told"),
        .secret("DIONYSUS_BROKER_PASSWORD", \.brokerAccess.password, "the user's password"),
        .optional(
            "DIONYSUS_BROKER_PASSWORD_FILE",
            \.brokerAccess.passwordFile,
            "a file that holds the user's password"
        ),
        .optional(
            "DIONYSUS_BROKER_CA_FILE",
            \.brokerAccess.caFile,
            "a file with the authorities that Kafka's certificates are verified with; empty: the system's"
        ),
        .optional(
            "DIONYSUS_BROKER_SASL_MECHANISM",
            \.brokerAccess.mechanism,
            "how the user shows who it is; empty: PLAIN if a user is set"
        ),
        .optional(
            "DIONYSUS_BROKER_SECURITY_PROTOCOL",
            \.brokerAccess.securityProtocol,
            "plaintext, ssl, sasl_plaintext or sasl_ssl; empty: sasl_ssl if a user is set, ssl if a CA is"
        ),
        .flag(
            "DIONYSUS_CREATE_TOPICS",
            \.producer.createsTopics,
            "a relay creates the declared topics that the broker doesn't have, before it publishes"
        ),
        .text("DIONYSUS_TOPIC_PREFIX", \.producer.topicPrefix, "stands before every topic's name"),
        .optional(
            "DIONYSUS_DEFAULT_PARTITION_KEY",
            \.producer.defaultPartitionKey,
            "the partition key of topics that declare none; empty for none"
        ),
        .text(
            "DIONYSUS_SOFT_DELETE_COLUMN",
            \.producer.softDeleteColumn,
            "the soft-delete column of models that name none, applied by migrate"
        ),
        .flag(
            "DIONYSUS_RECORD_CHANGES",
            \.producer.recordsChanges,
            "record the changes of this process; triggers work anyhow"
        ),
        .choice("DIONYSUS_PARTITIONER", \.producer.partitioner, "how partition keys become partitions"),
        .optionalChoice(
            "DIONYSUS_WIRE",
            \.producer.wire,
            "how numbers, times and texts are written; empty: as dionysus-rb does where it made the outbox"
        ),
        .number("DIONYSUS_TIME_FRACTION_DIGITS", \.producer.timeFractionDigits, "digits of fractions of seconds"),
        .text(
            "DIONYSUS_OUTBOX_TABLE",
            \.outboxTable,
            "the table of the outbox, NAME or SCHEMA.NAME, applied by migrate"
        ),
        .number("DIONYSUS_LANES", \.producer.lanes, "lanes of the outbox, applied by migrate"),
        .number("DIONYSUS_WORKERS", \.producer.workers, "batches that a relay works on at once"),
        .number("DIONYSUS_BATCH_SIZE", \.producer.batchSize, "rows of the outbox in a batch"),
        .milliseconds("DIONYSUS_POLL_INTERVAL_MS", \.producer.pollInterval, "pause of an idle relay"),
        .flag("DIONYSUS_WAKE_UP", \.producer.wakesUp, "have changes announced to an idle relay"),
        .milliseconds("DIONYSUS_PUBLISHING_DELAY_MS", \.producer.publishingDelay, "age at which the relay takes a row"),
        .flag(
            "DIONYSUS_PUBLISH_AFTER_COMMIT",
            \.producer.publishesAfterCommit,
            "publish at once what this process commits"
        ),
        .flag(
            "DIONYSUS_REMOVE_CONSECUTIVE_DUPLICATES",
            \.producer.removesConsecutiveDuplicates,
            "publish only the last of consecutive rows of a record with the same event"
        ),
        .number(
            "DIONYSUS_OBSERVERS_INLINE_MAXIMUM_SIZE",
            \.producer.observersInlineMaximumSize,
            "records that an observed change publishes at once; more are published by a genesis run"
        ),
        .number("DIONYSUS_MAX_ATTEMPTS", \.producer.maxAttempts, "attempts before a row is parked"),
        .milliseconds(
            "DIONYSUS_MAX_RETRY_DELAY_MS",
            \.producer.maxRetryDelay,
            "longest pause before a failed row is tried again"
        ),
        .choice("DIONYSUS_ON_FAILURE", \.producer.onFailure, "what waits behind a failed row"),
        .milliseconds("DIONYSUS_MESSAGE_TIMEOUT_MS", \.producer.messageTimeout, "wait for an acknowledgement"),
        .milliseconds("DIONYSUS_LEASE_TIMEOUT_MS", \.producer.leaseTimeout, "idle time after which a lane is lost"),
        .flag("DIONYSUS_DELETE_PUBLISHED_ROWS", \.producer.deletesPublishedRows, "delete rows once published"),
        .optionalNumber(
            "DIONYSUS_TOPIC_PARTITIONS",
            \.producer.topics.partitions,
            "partitions of topics that declare none; empty: 4"
        ),
        .optionalNumber(
            "DIONYSUS_TOPIC_REPLICATION_FACTOR",
            \.producer.topics.replicationFactor,
            "replicas of topics that declare none; empty: as the broker has it"
        ),
        .topicSettings(
            "DIONYSUS_TOPIC_SETTINGS",
            \.producer.topics.values,
            "the broker's settings for topics, when created"
        ),
        .age("DIONYSUS_RETENTION", \.producer.retention, "how long published rows are kept; empty: forever"),
        .choice("DIONYSUS_CAPTURE", \.producer.capture, "whether changes are captured, applied by migrate"),
        .optional(
            "DIONYSUS_CAPTURE_SUPPRESSION_ROLE",
            \.producer.captureSuppressionRole,
            "the PostgreSQL role whose members may suppress capture, applied by migrate; empty: the outbox's owner"
        ),
        .changesetKeys("DIONYSUS_CHANGESET_KEYS", \.producer.changesetKeys, "encrypt changesets: ID:BASE64;ID:BASE64"),
        .optional(
            "DIONYSUS_PUBLISHER_SERVICE_NAME",
            \.producer.publisherServiceName,
            "names this application in what is told of genesis runs; empty: the client's name"
        ),
        .number("DIONYSUS_GENESIS_CHUNK_SIZE", \.producer.genesisChunkSize, "records in a chunk of a genesis run"),
        .number(
            "DIONYSUS_GENESIS_MAX_PENDING_ROWS",
            \.producer.genesisMaxPendingRows,
            "rows of a genesis run that may wait in the outbox"
        ),
        .milliseconds(
            "DIONYSUS_GENESIS_SAFETY_DELAY_MS",
            \.producer.genesisSafetyDelay,
            "time after its last record at which a genesis run is said to have ended"
        ),
        .optional(
            "DIONYSUS_CONSUMER_GROUP_ID",
            \.consumer.groupID,
            "the whole name of the group; empty: made of prefix and client"
        ),
        .text(
            "DIONYSUS_CONSUMER_GROUP_PREFIX",
            \.consumer.groupPrefix,
            "stands before the client's name in the group's"
        ),
        .number("DIONYSUS_CONSUMER_BATCH_SIZE", \.consumer.batchSize, "messages taken from the broker at once"),
        .number("DIONYSUS_CONSUMER_CONCURRENCY", \.consumer.concurrency, "batches that are worked on at once"),
        .number("DIONYSUS_CONSUMER_MAX_RETRIES", \.consumer.maxRetries, "tries of a message that fails"),
        .milliseconds(
            "DIONYSUS_CONSUMER_MAX_RETRY_DELAY_MS",
            \.consumer.maxRetryDelay,
            "longest pause before a message that failed is tried again"
        ),
        .period(
            "DIONYSUS_TOMBSTONE_RETENTION",
            \.consumer.tombstoneRetention,
            "how long a replica remembers what was destroyed, so that late messages don't bring it back"
        ),
        .age(
            "DIONYSUS_MAX_CLOCK_SKEW",
            \.consumer.maxClockSkew,
            "how far ahead of the replica's clock messages may be; empty: any time"
        ),
        .age(
            "DIONYSUS_EVENT_RETENTION",
            \.consumer.eventRetention,
            "how long handled events stay in the event log; empty: forever"
        ),
        .milliseconds(
            "DIONYSUS_CONSUMER_STUCK_AFTER_MS",
            \.consumer.stuckAfter,
            "time after which a batch under way counts as stuck"
        ),
        .milliseconds(
            "DIONYSUS_CONSUMER_LAG_INTERVAL_MS",
            \.consumer.lagInterval,
            "pause between measurements of the lag"
        ),
        .optional(
            "DIONYSUS_CONTRACT",
            \.contractFile,
            "a file with the contract of what is consumed, as the producer's contract command writes it"
        ),
        .choice(
            "DIONYSUS_REPLICA_TABLES",
            \.consumer.replicaTables,
            "who creates the replica's tables: application, or managed by migrate from the contract"
        ),
        .choice("DIONYSUS_ON_OUT_OF_RANGE", \.consumer.onOutOfRange, "what to do when messages were missed"),
        .registry(
            "DIONYSUS_SCHEMA_REGISTRY_URL",
            \.schemaRegistry.urls,
            "the schema registry: http://host:port, several with commas between"
        ),
        .optional(
            "DIONYSUS_SCHEMA_REGISTRY_USER",
            \.schemaRegistry.user,
            "the user that the schema registry is told, if its address has none"
        ),
        .secret("DIONYSUS_SCHEMA_REGISTRY_PASSWORD", \.schemaRegistry.password, "the user's password"),
        .secret(
            "DIONYSUS_SCHEMA_REGISTRY_TOKEN",
            \.schemaRegistry.token,
            "a token for the schema registry, in the place of a user"
        ),
        .optional(
            "DIONYSUS_SCHEMA_REGISTRY_CLUSTER",
            \.schemaRegistry.logicalCluster,
            "the cluster that a token is for, in Confluent's cloud"
        ),
        .optional(
            "DIONYSUS_SCHEMA_REGISTRY_IDENTITY_POOL",
            \.schemaRegistry.identityPoolID,
            "the identity pool that a token is for, in Confluent's cloud"
        ),
        .optional(
            "DIONYSUS_SCHEMA_REGISTRY_CA_FILE",
            \.schemaRegistry.caFile,
            "a file with the authorities that the schema registry's certificate is verified with; empty: the system's"
        ),
        .optional(
            "DIONYSUS_SCHEMA_REGISTRY_CERTIFICATE_FILE",
            \.schemaRegistry.certificateFile,
            "a file with the certificate that the schema registry asks for"
        ),
        .optional("DIONYSUS_SCHEMA_REGISTRY_KEY_FILE", \.schemaRegistry.keyFile, "a file with the certificate's key"),
        .milliseconds(
            "DIONYSUS_SCHEMA_REGISTRY_TIMEOUT_MS",
            \.schemaRegistry.timeout,
            "wait for an answer of the schema registry"
        ),
        .number(
            "DIONYSUS_SCHEMA_REGISTRY_MAX_RETRIES",
            \.schemaRegistry.maxRetries,
            "how often a request is sent again when the schema registry is away"
        ),
        .choice(
            "DIONYSUS_SCHEMA_REGISTRATION",
            \.schemaRegistry.registration,
            "how schemas come to be in the registry: at first use, only as they were pushed, or the latest is used"
        ),
        .choice(
            "DIONYSUS_SCHEMA_SUBJECTS",
            \.schemaRegistry.subjects,
            "which subject a schema is registered under"
        ),
        .choice(
            "DIONYSUS_SCHEMA_ID",
            \.schemaRegistry.idPlacement,
            "where messages name their schema"
        ),
        .flag(
            "DIONYSUS_NORMALIZE_SCHEMAS",
            \.schemaRegistry.normalizesSchemas,
            "have the registry take schemas for the same that differ in order and the like"
        ),
        .clientSettings(
            "DIONYSUS_CONSUMER_SETTINGS",
            \.consumer.brokerSettings,
            "settings of the broker's client, to consume"
        ),
        .clientSettings(
            "DIONYSUS_PRODUCER_SETTINGS",
            \.producer.brokerSettings,
            "settings of the broker's client, to produce"
        ),
    ]

    static func text(
        _ name: String,
        _ path: SettingPath<String>,
        _ summary: String
    ) -> Setting {
        Setting(name, path, summary, expects: "text", show: \.self, parse: { $0 })
    }

    static func url(
        _ name: String,
        _ path: SettingPath<String>,
        _ summary: String
    ) -> Setting {
        Setting(name, path, summary, expects: "a URL", show: shownURL, parse: { $0 })
    }

    static func registry(
        _ name: String,
        _ path: SettingPath<[String]>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "addresses with http or https, with commas between",
            show: { $0.map(shownAddress).joined(separator: ",") },
            parse: { text in
                let urls = SchemaRegistrySettings.urls(text)
                let areAddresses = urls.allSatisfy { ["http", "https"].contains(URLComponents(string: $0)?.scheme) }
                return areAddresses ? urls : nil
            }
        )
    }

    static func broker(
        _ name: String,
        _ path: SettingPath<String>,
        _ summary: String
    ) -> Setting {
        Setting(name, path, summary, expects: "text", show: shownBroker, parse: { $0 })
    }

    static func optional(
        _ name: String,
        _ path: SettingPath<String?>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "text",
            show: { $0 ?? "" },
            parse: { text -> String?? in .some(text.isEmpty ? nil : text) }
        )
    }

    static func secret(
        _ name: String,
        _ path: SettingPath<String?>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            isSecret: true,
            expects: "text",
            show: { $0 == nil ? "" : "***" },
            parse: { text -> String?? in .some(text.isEmpty ? nil : text) }
        )
    }

    static func number(
        _ name: String,
        _ path: SettingPath<Int>,
        _ summary: String
    ) -> Setting {
        Setting(name, path, summary, expects: "a whole number", show: { "\($0)" }, parse: { Int($0) })
    }

    static func milliseconds(
        _ name: String,
        _ path: SettingPath<Duration>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary + ", in ms",
            expects: "a whole number of milliseconds",
            show: { "\($0.components.seconds * 1_000 + $0.components.attoseconds / 1_000_000_000_000_000)" },
            parse: { text in Int(text).flatMap { $0 >= 0 ? .milliseconds($0) : nil } }
        )
    }

    static func optionalNumber(
        _ name: String,
        _ path: SettingPath<Int?>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "a whole number",
            show: { $0.map(String.init) ?? "" },
            parse: { text -> Int?? in text.isEmpty ? .some(nil) : Int(text).map { .some($0) } }
        )
    }

    static func age(
        _ name: String,
        _ path: SettingPath<Duration?>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: Age.form,
            show: { $0.map { Age($0).description } ?? "" },
            parse: { text -> Duration?? in text.isEmpty ? .some(nil) : Age(argument: text).map { .some($0.duration) } }
        )
    }

    static func period(
        _ name: String,
        _ path: SettingPath<Duration>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: Age.form,
            show: { Age($0).description },
            parse: { Age(argument: $0)?.duration }
        )
    }

    static func memory(
        _ name: String,
        _ path: SettingPath<MemoryBudget>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: MemorySize.form,
            show: { MemorySize($0.size).description },
            parse: { MemorySize(argument: $0).map { MemoryBudget(bytes: $0.bytes) } }
        )
    }

    static func flag(
        _ name: String,
        _ path: SettingPath<Bool>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "true or false",
            show: { "\($0)" },
            parse: { ["true": true, "1": true, "yes": true, "false": false, "0": false, "no": false][$0.lowercased()] }
        )
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String,
        _ path: SettingPath<Value>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "),
            show: \.rawValue,
            parse: { Value(rawValue: $0) }
        )
    }

    static func optionalChoice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String,
        _ path: SettingPath<Value?>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", ") + ", or empty",
            show: { $0?.rawValue ?? "" },
            parse: { text -> Value?? in text.isEmpty ? .some(nil) : Value(rawValue: text).map { .some($0) } }
        )
    }

    /// Settings of the broker's client.
    static func clientSettings(
        _ name: String,
        _ path: SettingPath<[String: String]>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            // A name that is none isn't told: it may be a piece of a password.
            expects: "settings of the broker's client, name=value;name=\"value\", with a ; only in quotes",
            show: { SettingsDisplay.shown($0).joined(separator: ";") },
            parse: { text in
                let pairs = parsePairs(text)
                return pairs?.keys.allSatisfy(SettingsDisplay.exists) == true ? pairs : nil
            }
        )
    }

    static func topicSettings(
        _ name: String,
        _ path: SettingPath<[String: String]>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "pairs: name=value;name=value",
            show: { pairs in pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ";") },
            parse: { parsePairs($0) }
        )
    }

    static func changesetKeys(
        _ name: String,
        _ path: SettingPath<[ChangesetKey]>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            isSecret: true,
            expects: "keys: id:base64;id:base64",
            show: { keys in keys.map { "\($0.id):***" }.joined(separator: ";") },
            parse: { text in
                let parts = text.split(separator: ";")
                let keys = parts.compactMap { ChangesetKey($0) }
                return keys.count == parts.count ? keys : nil
            }
        )
    }
}

/// A database's address without its secrets; nothing of it if nobody knows which part is secret.
func shownURL(_ url: String) -> String {
    if url.hasPrefix("sqlite:") || url.isEmpty { return url }
    return (try? ConnectionString(url))?.shown ?? "***"
}

/// An address of the web without the user and the password in it.
func shownAddress(_ url: String) -> String {
    guard var parts = URLComponents(string: url), parts.host != nil else { return "***" }
    (parts.user, parts.password) = (nil, nil)
    return parts.string ?? "***"
}

/// The broker's address; nothing of it if it seems to have credentials.
func shownBroker(_ address: String) -> String {
    address.hasPrefix("embedded:") || !address.contains("@") ? address : "***"
}
