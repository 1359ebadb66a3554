/// A setting of the library under the name that a declaration in a file has for it.
package struct FileSetting: Sendable {
    private let setting: Setting

    /// Its name in a file: `batch_size`.
    package var key: String { variable.dropFirst(Self.prefix.count).lowercased() }
    /// The environment variable that overrides it.
    package var variable: String { setting.name }
    /// What it decides.
    package var summary: String { setting.summary }

    private static let prefix = "DIONYSUS_"

    /// All but the addresses, which stand elsewhere in a file.
    package static let all: [FileSetting] = Setting.all
        .filter { $0.name.hasPrefix(prefix) && !addresses.contains($0.name) }
        .map(FileSetting.init)

    private static let addresses = [Address.broker.rawValue, "DIONYSUS_SCHEMA_REGISTRY_URL"]

    /// Whether its value is shown to nobody.
    var isSecret: Bool { setting.isSecret }

    /// Its value as text; masked if it is secret.
    func text(in settings: ApplicationSettings) -> String { setting.show(settings) }

    /// Reads the setting.
    /// - Returns: What is wrong with the text, or nil.
    package func parse(_ text: String, _ settings: inout ApplicationSettings) -> String? {
        setting.parse(text, &settings) == nil ? nil : "must be \(setting.expected)"
    }
}
