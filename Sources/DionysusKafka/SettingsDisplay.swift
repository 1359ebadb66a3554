import CRdkafka
import Dionysus

/// Which of a Kafka client's settings may be shown, and warnings about them.
package enum SettingsDisplay {
    /// Settings whose values are librdkafka's keywords, or names of files, hosts and groups.
    private static let harmless: Set<String> = [
        "acks", "allow.auto.create.topics", "auto.offset.reset", "bootstrap.servers", "broker.address.family",
        "builtin.features", "check.crcs", "client.dns.lookup", "client.id", "client.rack", "compression.codec",
        "compression.level", "compression.type", "debug", "group.id", "group.instance.id", "group.protocol",
        "isolation.level", "log_level", "max.in.flight", "max.in.flight.requests.per.connection",
        "message.send.max.retries", "metadata.broker.list", "partition.assignment.strategy", "partitioner",
        "queuing.strategy", "request.required.acks", "retries", "sasl.mechanism", "sasl.mechanisms",
        "sasl.oauthbearer.method", "sasl.kerberos.service.name", "sasl.username", "security.protocol",
        "ssl.ca.location", "ssl.certificate.location", "ssl.cipher.suites", "ssl.crl.location", "ssl.curves.list",
        "ssl.endpoint.identification.algorithm", "ssl.key.location", "ssl.keystore.location", "ssl.sigalgs.list",
        "statistics.interval.ms",
    ]
    /// Endings of numeric and boolean settings.
    private static let harmlessEndings = [
        ".ms", ".bytes", ".kbytes", ".messages", ".num.messages", ".disable", ".enable", ".max", ".connections",
    ]

    /// Whether librdkafka has a setting of this name.
    package static func exists(_ name: String) -> Bool {
        guard let configuration = rd_kafka_conf_new() else { return false }
        defer { rd_kafka_conf_destroy(configuration) }
        // For a setting without a value, librdkafka answers that it is unknown.
        return rd_kafka_conf_set(configuration, name, nil, nil, 0) != RD_KAFKA_CONF_UNKNOWN
    }

    /// Settings as `name=value`, sorted, with `***` for the values of all but those that are known to be harmless.
    ///
    /// An unknown name may be part of a password that contains a separator.
    package static func shown(_ settings: [String: String]) -> [String] {
        settings.sorted { $0.key < $1.key }
            .map { name, value in
                guard exists(name) else { return "***" }
                let isHarmless =
                    harmless.contains(name) || name.hasPrefix("enable.")
                    || harmlessEndings.contains { name.hasSuffix($0) }
                return "\(name)=\(isHarmless ? value : "***")"
            }
    }

    /// Why an attacker in the middle could read or change connections with these settings; nil if that is impossible or
    /// they are local.
    package static func caution(_ settings: [String: String], servers: String) -> String? {
        guard !serverList(servers).allSatisfy(isLoopback) else { return nil }
        func value(_ name: String) -> String { settings[name]?.lowercased() ?? "" }
        switch value("security.protocol") {
        case "", "plaintext":
            return "connections to Kafka at \(servers) are neither encrypted nor verified: "
                + "set security.protocol=ssl or sasl_ssl in DIONYSUS_BROKER_SETTINGS"
        case "sasl_plaintext":
            return "connections to Kafka at \(servers) are not encrypted, credentials included: "
                + "set security.protocol=sasl_ssl in DIONYSUS_BROKER_SETTINGS"
        default:
            if value("enable.ssl.certificate.verification") == "false" {
                return "certificates of Kafka at \(servers) are not verified: "
                    + "remove enable.ssl.certificate.verification=false, and set ssl.ca.location"
            }
            if value("ssl.endpoint.identification.algorithm") == "none" {
                return "certificates of Kafka at \(servers) are accepted for any host: "
                    + "remove ssl.endpoint.identification.algorithm=none"
            }
            return nil
        }
    }

    /// Parses a list of brokers, separated by commas, semicolons or blanks.
    static func serverList(_ text: String) -> [String] {
        text.split { $0 == "," || $0 == ";" || $0 == " " }.map(String.init)
    }

    private static func isLoopback(_ server: String) -> Bool {
        var host = server[(server.range(of: "://")?.upperBound ?? server.startIndex)...]
        if let colon = host.lastIndex(of: ":") { host = host[..<colon] }
        return host == "localhost" || host == "[::1]" || host.hasPrefix("127.")
    }
}
