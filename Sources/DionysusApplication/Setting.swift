import Configuration
import Dionysus
import DionysusProducer
import DionysusSchemas
import Foundation
import Logging

/// The path to a setting's value.
typealias SettingPath<Value> = any WritableKeyPath<ApplicationSettings, Value> & Sendable

/// A setting: its environment variable, and how it is parsed and shown.
struct Setting: Sendable {
    let name: String
    /// Its path in ``ApplicationSettings``: `producer.batchSize`.
    let place: String
    let isSecret: Bool
    let summary: String
    /// The form that its text must have.
    let expected: String
    let show: @Sendable (ApplicationSettings) -> String
    /// Parses the text; returns an error message if it is invalid.
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

    /// The side that it applies to; nil for both.
    var side: Side? {
        switch name {
        case "SOURCE_DATABASE_URL": .producer
        case "REPLICA_DATABASE_URL": .consumer
        // Stored for the producer, and copied to the consumer.
        case "DIONYSUS_CLIENT_ID", "DIONYSUS_TOPIC_PREFIX": nil
        case "DIONYSUS_CONTRACT": .consumer
        default: place.hasPrefix("producer.") ? .producer : place.hasPrefix("consumer.") ? .consumer : nil
        }
    }

    /// The name in swift-configuration's form.
    var key: ConfigKey { ConfigKey(name.lowercased().replacing("_", with: ".")) }

    static let all: [Setting] = [
        .url("SOURCE_DATABASE_URL", \.sourceDatabaseURL, "the database whose changes are published"),
        .url("REPLICA_DATABASE_URL", \.replicaDatabaseURL, "the database that holds the replica"),
        .broker("DIONYSUS_SEED_BROKER", \.seedBroker, "embedded:PATH, or host:port;host:port of a Kafka cluster"),
        .number(
            "DIONYSUS_DATABASE_CONNECTIONS",
            \.databaseConnections,
            "maximum number of PostgreSQL connections for a process's transactions"
        ),
        .memory(
            "DIONYSUS_MEMORY_BUDGET",
            \.memoryBudget,
            "approximate memory for the rows and messages that a process is working on"
        ),
        .text(
            "DIONYSUS_CLIENT_ID",
            \.producer.clientID,
            "identifies this application to the broker; part of the consumer group's name"
        ),
        .choice("DIONYSUS_LOG_LEVEL", \.logLevel, "minimum severity of logged messages"),
        .choice("DIONYSUS_LOG_FORMAT", \.logFormat, "format of log messages"),
        .optional(
            "DIONYSUS_HEARTBEAT_DIRECTORY",
            \.heartbeatDirectory,
            "directory for heartbeat files; empty: a private directory of the user"
        ),
        .text("DIONYSUS_HTTP_HOST", \.http.host, "the address that probes and metrics are served on"),
        .optionalNumber(
            "DIONYSUS_HTTP_PORT",
            \.http.port,
            "the port on which relay and consumer serve probes and metrics; empty: none"
        ),
        .secret(
            "DIONYSUS_HTTP_TOKEN",
            \.http.token,
            "what requests for metrics and reasons have to show; needed where others can reach the address"
        ),
        .text("DIONYSUS_CONSOLE_HOST", \.console.host, "the address that the console is served on"),
        .number("DIONYSUS_CONSOLE_PORT", \.console.port, "the port that the console is served on"),
        .text(
            "DIONYSUS_CONSOLE_BASE_PATH",
            \.console.basePath,
            "the path of the console's pages behind a proxy, such as /dionysus"
        ),
        .tokens(
            "DIONYSUS_CONSOLE_TOKENS",
            \.console.tokens,
            "who may use the console; needed where others can reach the address"
        ),
        .optional(
            "DIONYSUS_CONSOLE_TRUSTED_HEADER",
            \.console.trustedHeader,
            "the header in which a proxy says who asks: X-Forwarded-User"
        ),
        .choice("DIONYSUS_CONSOLE_TRUSTED_ROLE", \.console.trustedRole, "the role of users that the proxy names"),
        .list(
            "DIONYSUS_CONSOLE_TRUSTED_PROXIES",
            \.console.trustedProxies,
            "the addresses of proxies whose header is believed"
        ),
        .list(
            "DIONYSUS_CONSOLE_HOST_NAMES",
            \.console.hostNames,
            "the names under which a console without tokens is reached, besides the machine's own"
        ),
        .flag("DIONYSUS_CONSOLE_READ_ONLY", \.console.isReadOnly, "whether nothing can be changed in the console"),
        .list(
            "DIONYSUS_CONSOLE_MASK",
            \.console.maskedMembers,
            "the members of payloads, and columns, whose values the console doesn't show"
        ),
        .flag(
            "DIONYSUS_CONSOLE_SECURE_COOKIES",
            \.console.usesSecureCookies,
            "whether the console's cookies are sent over TLS only"
        ),
        .flag(
            "DIONYSUS_CONSOLE_SAMPLES",
            \.console.recordsSamples,
            "whether relay and consumer write figures to their databases, for the console's charts"
        ),
        .clientSettings(
            "DIONYSUS_BROKER_SETTINGS",
            \.brokerSettings,
            "broker client settings for both sides"
        ),
        .optional(
            "DIONYSUS_BROKER_SETTINGS_FILE",
            \.brokerAccess.settingsFile,
            "file with broker client settings, one name=value per line"
        ),
        .optional("DIONYSUS_BROKER_USER", \.brokerAccess.user, "Kafka user name"),
        .secret("DIONYSUS_BROKER_PASSWORD", \.brokerAccess.password, "Kafka password"),
        .optional(
            "DIONYSUS_BROKER_PASSWORD_FILE",
            \.brokerAccess.passwordFile,
            "file with the Kafka password"
        ),
        .optional(
            "DIONYSUS_BROKER_CA_FILE",
            \.brokerAccess.caFile,
            "file with the CA certificates that verify Kafka; empty: the system's"
        ),
        .optional(
            "DIONYSUS_BROKER_SASL_MECHANISM",
            \.brokerAccess.mechanism,
            "SASL mechanism; empty: PLAIN if a user is set"
        ),
        .optional(
            "DIONYSUS_BROKER_SECURITY_PROTOCOL",
            \.brokerAccess.securityProtocol,
            "plaintext, ssl, sasl_plaintext or sasl_ssl; empty: sasl_ssl if a user is set, ssl if a CA is"
        ),
        .flag(
            "DIONYSUS_CREATE_TOPICS",
            \.producer.createsTopics,
            "whether a relay creates missing declared topics before it publishes"
        ),
        .text("DIONYSUS_TOPIC_PREFIX", \.producer.topicPrefix, "prefix of every topic's name"),
        .optional(
            "DIONYSUS_DEFAULT_PARTITION_KEY",
            \.producer.defaultPartitionKey,
            "partition key of topics that declare none; empty: no partition key"
        ),
        .text(
            "DIONYSUS_SOFT_DELETE_COLUMN",
            \.producer.softDeleteColumn,
            "soft-delete column of models that name none, applied by migrate"
        ),
        .flag(
            "DIONYSUS_RECORD_CHANGES",
            \.producer.recordsChanges,
            "whether this process's recorders record changes; does not affect triggers"
        ),
        .choice("DIONYSUS_PARTITIONER", \.producer.partitioner, "how partition keys map to partitions"),
        .optionalChoice(
            "DIONYSUS_WIRE",
            \.producer.wire,
            "format of numbers, times and text; empty: dionysus-rb's if it created the outbox"
        ),
        .number(
            "DIONYSUS_TIME_FRACTION_DIGITS",
            \.producer.timeFractionDigits,
            "fractional digits of seconds in times"
        ),
        .text(
            "DIONYSUS_OUTBOX_TABLE",
            \.outboxTable,
            "the outbox table, NAME or SCHEMA.NAME, applied by migrate"
        ),
        .number("DIONYSUS_LANES", \.producer.lanes, "number of outbox lanes, applied by migrate"),
        .number("DIONYSUS_WORKERS", \.producer.workers, "concurrent batches of a relay"),
        .number("DIONYSUS_BATCH_SIZE", \.producer.batchSize, "maximum number of outbox rows in a batch"),
        .milliseconds("DIONYSUS_POLL_INTERVAL_MS", \.producer.pollInterval, "polling interval of an idle relay"),
        .flag("DIONYSUS_WAKE_UP", \.producer.wakesUp, "whether changes wake an idle relay"),
        .milliseconds(
            "DIONYSUS_PUBLISHING_DELAY_MS",
            \.producer.publishingDelay,
            "minimum age of a row before the relay publishes it"
        ),
        .flag(
            "DIONYSUS_PUBLISH_AFTER_COMMIT",
            \.producer.publishesAfterCommit,
            "whether this process publishes its changes right after the commit"
        ),
        .flag(
            "DIONYSUS_REMOVE_CONSECUTIVE_DUPLICATES",
            \.producer.removesConsecutiveDuplicates,
            "whether only the last of a record's consecutive rows with the same event is published"
        ),
        .number(
            "DIONYSUS_OBSERVERS_INLINE_MAXIMUM_SIZE",
            \.producer.observersInlineMaximumSize,
            "maximum number of records that an observed change publishes directly; a genesis run publishes more"
        ),
        .number("DIONYSUS_MAX_ATTEMPTS", \.producer.maxAttempts, "attempts before a row is parked"),
        .milliseconds(
            "DIONYSUS_MAX_RETRY_DELAY_MS",
            \.producer.maxRetryDelay,
            "maximum delay before a failed row is retried"
        ),
        .choice("DIONYSUS_ON_FAILURE", \.producer.onFailure, "what waits behind a failed row"),
        .milliseconds("DIONYSUS_MESSAGE_TIMEOUT_MS", \.producer.messageTimeout, "maximum wait for an acknowledgement"),
        .milliseconds("DIONYSUS_LEASE_TIMEOUT_MS", \.producer.leaseTimeout, "idle time after which a lane is lost"),
        .flag(
            "DIONYSUS_DELETE_PUBLISHED_ROWS",
            \.producer.deletesPublishedRows,
            "whether published rows are deleted at once"
        ),
        .optionalNumber(
            "DIONYSUS_TOPIC_PARTITIONS",
            \.producer.topics.partitions,
            "partitions of topics that declare none; empty: 4"
        ),
        .optionalNumber(
            "DIONYSUS_TOPIC_REPLICATION_FACTOR",
            \.producer.topics.replicationFactor,
            "replication factor of topics that declare none; empty: the broker's default"
        ),
        .topicSettings(
            "DIONYSUS_TOPIC_SETTINGS",
            \.producer.topics.values,
            "topic-level broker settings for new topics"
        ),
        .age("DIONYSUS_RETENTION", \.producer.retention, "how long published rows are kept; empty: forever"),
        .choice("DIONYSUS_CAPTURE", \.producer.capture, "whether changes are captured, applied by migrate"),
        .optional(
            "DIONYSUS_CAPTURE_SUPPRESSION_ROLE",
            \.producer.captureSuppressionRole,
            "the PostgreSQL role whose members may suppress capture, applied by migrate; empty: the outbox's owner"
        ),
        .changesetKeys(
            "DIONYSUS_CHANGESET_KEYS",
            \.producer.changesetKeys,
            "keys that encrypt changesets: ID:BASE64;ID:BASE64"
        ),
        .optional(
            "DIONYSUS_PUBLISHER_SERVICE_NAME",
            \.producer.publisherServiceName,
            "this application's name in genesis events; empty: the client id"
        ),
        .number(
            "DIONYSUS_GENESIS_CHUNK_SIZE",
            \.producer.genesisChunkSize,
            "number of records in a chunk of a genesis run"
        ),
        .number(
            "DIONYSUS_GENESIS_MAX_PENDING_ROWS",
            \.producer.genesisMaxPendingRows,
            "maximum number of a genesis run's rows that wait in the outbox"
        ),
        .age(
            "DIONYSUS_VERIFICATION_INTERVAL",
            \.producer.verificationInterval,
            "how often a relay starts a verification of every published model; empty: never"
        ),
        .milliseconds(
            "DIONYSUS_GENESIS_SAFETY_DELAY_MS",
            \.producer.genesisSafetyDelay,
            "delay added to the reported end of a genesis run"
        ),
        .optional(
            "DIONYSUS_CONSUMER_GROUP_ID",
            \.consumer.groupID,
            "full name of the consumer group; empty: prefix and client id"
        ),
        .text(
            "DIONYSUS_CONSUMER_GROUP_PREFIX",
            \.consumer.groupPrefix,
            "prefix of the consumer group's name"
        ),
        .number("DIONYSUS_CONSUMER_BATCH_SIZE", \.consumer.batchSize, "maximum number of messages in a batch"),
        .number("DIONYSUS_CONSUMER_CONCURRENCY", \.consumer.concurrency, "concurrent batches"),
        .number("DIONYSUS_CONSUMER_MAX_RETRIES", \.consumer.maxRetries, "retries of a failed message"),
        .milliseconds(
            "DIONYSUS_CONSUMER_MAX_RETRY_DELAY_MS",
            \.consumer.maxRetryDelay,
            "maximum delay before a failed message is retried"
        ),
        .period(
            "DIONYSUS_TOMBSTONE_RETENTION",
            \.consumer.tombstoneRetention,
            "how long a replica remembers destroyed records, so that late messages don't restore them"
        ),
        .age(
            "DIONYSUS_MAX_CLOCK_SKEW",
            \.consumer.maxClockSkew,
            "how far ahead of the replica's clock messages may be; empty: no limit"
        ),
        .age(
            "DIONYSUS_EVENT_RETENTION",
            \.consumer.eventRetention,
            "how long handled events stay in the event log; empty: forever"
        ),
        .milliseconds(
            "DIONYSUS_CONSUMER_STUCK_AFTER_MS",
            \.consumer.stuckAfter,
            "time after which a running batch counts as stuck"
        ),
        .milliseconds(
            "DIONYSUS_CONSUMER_LAG_INTERVAL_MS",
            \.consumer.lagInterval,
            "interval between lag measurements"
        ),
        .optional(
            "DIONYSUS_CONTRACT",
            \.contractFile,
            "file with the contract of the consumed topics, written by the producer's contract command"
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
            "schema registry user name, if its address has none"
        ),
        .secret("DIONYSUS_SCHEMA_REGISTRY_PASSWORD", \.schemaRegistry.password, "the user's password"),
        .optional(
            "DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE",
            \.schemaRegistryPasswordFile,
            "file with the user's password"
        ),
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
            "broker client settings for the consumer"
        ),
        .clientSettings(
            "DIONYSUS_PRODUCER_SETTINGS",
            \.producer.brokerSettings,
            "broker client settings for the producer"
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

    /// A list with commas.
    static func list(
        _ name: String,
        _ path: SettingPath<[String]>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            expects: "a list with commas",
            show: { $0.joined(separator: ",") },
            parse: { text in
                text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            }
        )
    }

    /// Who may use the console.
    static func tokens(
        _ name: String,
        _ path: SettingPath<[ConsoleAccess.Token]>,
        _ summary: String
    ) -> Setting {
        Setting(
            name,
            path,
            summary,
            isSecret: true,
            expects: "ROLE:NAME=SECRET;… with the roles read, operate and admin",
            show: { $0.map { "\($0.role.rawValue):\($0.name)=***" }.joined(separator: ";") },
            parse: { ConsoleAccess.tokens($0) }
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
            // Unknown names aren't shown: they may be part of a password.
            expects: "broker client settings: name=value;name=\"value\", with a ; only in quotes",
            show: { AddressDisplay.shown($0).joined(separator: ";") },
            parse: { text in
                let pairs = parsePairs(text)
                return pairs?.keys.allSatisfy(AddressDisplay.exists) == true ? pairs : nil
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

/// A database's address without secrets, or `***` if the secret part is unknown.
func shownURL(_ url: String) -> String {
    if url.hasPrefix("sqlite:") || url.isEmpty { return url }
    return AddressDisplay.postgres(url)
}

/// An HTTP address without its user and password.
func shownAddress(_ url: String) -> String {
    guard var parts = URLComponents(string: url), parts.host != nil else { return "***" }
    (parts.user, parts.password) = (nil, nil)
    return parts.string ?? "***"
}

/// The broker's address, or `***` if it seems to contain credentials.
func shownBroker(_ address: String) -> String {
    address.hasPrefix("embedded:") || !address.contains("@") ? address : "***"
}
