import Dionysus
package import DionysusConsumer
package import DionysusProducer

/// A declaration as a file of the program `dionysus`, as far as no code is needed for it.
package struct FileText {
    /// The YAML; what it can't say is in comments at its beginning.
    package let text: String

    /// Writes a declaration.
    /// - Parameters:
    ///   - name: The application's name, where its settings have none.
    ///   - settings: The settings in code; those of the environment belong to a place and not to the declaration.
    package init(_ producer: some Producer, _ consumer: some Consumer, name: String, settings: ApplicationSettings) {
        var unsaid: [String] = []
        let published = FilePublications(producer, &unsaid)
        let replica = FileReplica.value(consumer, &unsaid)
        let (chosen, secrets) = FileSetting.chosen(in: settings)
        unsaid += secrets.map { "the setting \($0), which is secret: set it in the environment" }

        let defaultName = ProducerSettings().clientID
        var file: JSON.Object = ["dionysus": 1]
        file["name"] = .string(settings.producer.clientID == defaultName ? name : settings.producer.clientID)
        for (key, value) in [
            ("source", published.source), ("models", published.models), ("namespaces", published.namespaces),
            ("replica", replica), ("settings", chosen),
        ] where !value.members.isEmpty { file[key] = .object(value) }

        var lines = [
            "# Written by `describe --yaml`. Addresses come from the environment; tables that `migrate` creates by code, and what",
            "# code does after messages have been applied, are not here.",
        ]
        if !unsaid.isEmpty {
            lines.append("# Only code can say this:")
            lines += unsaid.map { "#   \($0.printable())" }
        }
        for member in file.members {
            if member.value.isObject { lines.append("") }
            lines += YAMLText.lines([member.name: member.value])
        }
        text = lines.joined(separator: "\n")
    }
}

extension JSON {
    fileprivate var isObject: Bool { if case .object = self { true } else { false } }
}

extension FileSetting {
    /// The settings that aren't the defaults, and the names of those whose values are secret.
    fileprivate static func chosen(in settings: ApplicationSettings) -> (values: JSON.Object, secrets: [String]) {
        var (values, secrets) = (JSON.Object(), [String]())
        for setting in all where setting.key != "client_id" {
            let text = setting.text(in: settings)
            guard text != setting.text(in: ApplicationSettings()) else { continue }
            var copy = settings
            if setting.isSecret || text.contains("***") || setting.parse(text, &copy) != nil {
                secrets.append(setting.key)
            } else {
                values[setting.key] = .string(text)
            }
        }
        return (values, secrets)
    }
}

extension Duration {
    /// A time as a file has it; parts of a millisecond are left out.
    var fileText: String {
        let milliseconds = components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] as [(String, Int64)]
        where milliseconds != 0 && milliseconds % size == 0 { return "\(milliseconds / size)\(unit)" }
        return "\(milliseconds)ms"
    }
}
