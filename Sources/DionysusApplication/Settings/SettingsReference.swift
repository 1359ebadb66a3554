/// The reference page, generated from the settings.
enum SettingsReference {
    /// Tables of the settings for both sides and for each side that an application has.
    static func markdown<App: DionysusApplication>(for application: App.Type) -> String {
        [(nil, "Both sides"), (.producer, "Producer"), (.consumer, "Consumer")]
            .filter { side, _ in App.has(side) }
            .map { side, title in
                "### \(title)\n\n" + table(Setting.all.filter { $0.side == side })
            }
            .joined(separator: "\n\n")
    }

    private static func table(_ settings: [Setting]) -> String {
        var defaults = ApplicationSettings()
        defaults.producer.clientID = "the application's name"
        let rows = settings.map { setting in
            let value = setting.show(defaults)
            return [
                "`\(setting.name)`", "`\(setting.place)`", setting.summary, setting.expected,
                value.isEmpty ? "" : "`\(value)`",
            ]
        }
        return
            (["| variable | in code | meaning | value | default |", "|---|---|---|---|---|"]
            + rows.map { "| " + $0.joined(separator: " | ") + " |" })
            .joined(separator: "\n")
    }
}
