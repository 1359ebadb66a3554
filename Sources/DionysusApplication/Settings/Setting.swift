import Configuration

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

    init<Value: Sendable>(_ name: String, _ path: SettingPath<Value>, _ form: SettingForm<Value>, _ summary: String) {
        self.name = name
        self.summary = summary + form.unit
        expected = form.expected
        place = "\(path)".replacing(#/^\\\w+\./#, with: "")
        isSecret = form.isSecret
        show = { form.show($0[keyPath: path]) }
        parse = { text, settings in
            guard let value = form.parse(text) else { return "\(name) must be \(form.expected)" }
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

    /// All settings, in the order in which they are shown.
    static let all = processes + http + broker + producer + consumer + registry + clients
}
