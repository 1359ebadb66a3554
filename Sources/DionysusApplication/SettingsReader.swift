import Configuration
import Dionysus

import class Foundation.ProcessInfo

/// Settings as they stand after code and environment, and where each came from.
struct ResolvedSettings: Sendable {
    var values: ApplicationSettings
    var sources: [String: String]

    /// Reads the environment over an application's own settings; all faults come in one error.
    static func resolve(_ application: ApplicationSettings) throws -> ResolvedSettings {
        let environment = ProcessInfo.processInfo.environment
        let reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
        var values = application
        var sources: [String: String] = [:]
        var faults: [String] = []
        let defaults = ApplicationSettings()
        for setting in Setting.all {
            if let text = reader.string(forKey: setting.key, isSecret: setting.isSecret) {
                sources[setting.name] = "environment"
                if let fault = setting.parse(text, &values) { faults.append(fault) }
            } else {
                sources[setting.name] = setting.show(application) == setting.show(defaults) ? "default" : "code"
            }
        }
        let known = Set(Setting.all.map(\.name))
        for name in environment.keys.sorted()
        where name.hasPrefix("DIONYSUS_") && !name.hasPrefix("DIONYSUS_TEST_") && !known.contains(name) {
            faults.append("\(name) is no setting; `config` lists those that exist")
        }
        values.consumer.clientID = values.producer.clientID
        values.consumer.topicPrefix = values.producer.topicPrefix
        faults += values.producer.faults
        faults += values.consumer.faults
        guard faults.isEmpty else {
            throw DionysusError(.configuration, "the settings are wrong: \(faults.joined(separator: "; "))")
        }
        return ResolvedSettings(values: values, sources: sources)
    }
}
