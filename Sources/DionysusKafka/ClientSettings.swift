import CRdkafka
import Dionysus

/// The settings of a librdkafka client: the user's override the adapter's defaults.
struct ClientSettings: Sendable {
    /// A setting on which the adapter's guarantees depend.
    struct Fixed: Sendable {
        var names: [String]
        var value: String
        var advice: String
    }

    private(set) var values: [String: String]
    private(set) var fixed: [Fixed]

    /// Merges a client's settings.
    /// - Parameters:
    ///   - defaults: The adapter's defaults, which the user may override.
    ///   - layers: The user's settings; later layers override earlier ones.
    ///   - fixed: Settings that the user must not override.
    /// - Throws: ``DionysusError`` with code `configuration` for an override of a fixed setting, or for TLS and
    ///   credentials that can't work.
    init(defaults: [String: String], layers: [[String: String]], fixed: [Fixed]) throws {
        values = layers.reduce(defaults) { $0.merging($1) { $1 } }
        self.fixed = fixed
        for setting in fixed {
            for name in setting.names {
                guard let value = values[name], value.lowercased() != setting.value else { continue }
                throw DionysusError(
                    .configuration,
                    "the Kafka setting '\(name)' can't be changed from '\(setting.value)'",
                    advice: setting.advice
                )
            }
            setting.names.forEach { values[$0] = nil }
        }
        try SecuritySettings.check(values)
    }

    /// Creates librdkafka's configuration object.
    /// - Parameter events: The kinds of event that go to the client's queue.
    /// - Returns: A configuration; `rd_kafka_new` takes ownership if it succeeds.
    /// - Throws: ``DionysusError`` with code `configuration` that names the wrong setting, but not its value,
    ///   which may be a secret.
    func makeConfiguration(events: Int32) throws -> OpaquePointer {
        guard let configuration = rd_kafka_conf_new() else {
            throw DionysusError(.configuration, "librdkafka returned no configuration")
        }
        do {
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                try set(name, value, on: configuration)
            }
            for setting in fixed {
                if let name = setting.names.first { try set(name, setting.value, on: configuration) }
            }
            try set("log.queue", "true", on: configuration)
        } catch {
            rd_kafka_conf_destroy(configuration)
            throw error
        }
        rd_kafka_conf_set_events(configuration, events)
        return configuration
    }

    private func set(_ name: String, _ value: String, on configuration: OpaquePointer) throws {
        var text = [CChar](repeating: 0, count: 512)
        switch rd_kafka_conf_set(configuration, name, value, &text, text.count) {
        case RD_KAFKA_CONF_OK:
            return
        case RD_KAFKA_CONF_UNKNOWN:
            throw DionysusError(
                .configuration,
                "Kafka has no setting '\(name)'",
                advice: "see librdkafka's CONFIGURATION.md for all settings"
            )
        default:
            throw DionysusError(
                .configuration,
                "the value of the Kafka setting '\(name)' is not allowed",
                advice: "see librdkafka's CONFIGURATION.md for its values"
            )
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up and clamped to the range of librdkafka's settings.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds < 2_000_000 else { return 2_000_000_000 }
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
