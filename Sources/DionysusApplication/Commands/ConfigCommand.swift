import ArgumentParser
import Dionysus

struct ConfigCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "config",
            abstract: "Prints every setting, its value and where it came from; secrets are masked."
        )
    }

    @Flag(help: "Print the report as JSON.") var json = false
    @Flag(help: "Print a reference of all settings in Markdown, with their defaults.")
    var markdown = false

    func run() async throws {
        guard !markdown else {
            print(SettingsReference.markdown(for: App.self))
            return
        }
        let resolved = try ResolvedSettings.resolve(of: App())
        let rows = Setting.all.filter { App.has($0.side) }
            .map { setting in
                (setting, setting.show(resolved.values), resolved.sources[setting.name] ?? "default")
            }
        if json {
            let members = rows.map { setting, value, source in
                JSON.Object.Member(setting.name, .object(["value": .string(value), "source": .string(source)]))
            }
            print(JSON.object(JSON.Object(members)).text)
        } else {
            print(
                tableText(
                    ["SETTING", "VALUE", "FROM", "MEANING"],
                    rows.map { [$0.name, $1, $2, $0.summary] }
                )
            )
        }
    }
}

struct VersionCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "version", abstract: "Prints the application's version.")
    }

    @Flag(help: "Print the report as JSON.") var json = false

    func run() async throws {
        print(
            json
                ? JSON.object(["name": .string(App.name), "version": .string(App.version)]).text
                : "\(App.name) \(App.version)"
        )
    }
}
