import Configuration
import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusSchemas

import class Foundation.ProcessInfo

/// The effective settings from code and environment, and the source of each.
struct ResolvedSettings: Sendable {
    var values: ApplicationSettings
    var sources: [String: String]

    /// Whether the application uses files because no address is set.
    var usesFiles = false

    /// Applies the environment to an application's settings; one error lists all faults.
    static func resolve<App: DionysusApplication>(of app: App) throws -> ResolvedSettings {
        let application = app.settings
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
            faults.append("\(name) is not a setting; `config` lists the existing ones")
        }
        // Name and prefix from the environment apply to both sides; those from code apply to their own side.
        values.consumer.clientID =
            environment["DIONYSUS_CLIENT_ID"] != nil ? values.producer.clientID : application.consumer.clientID
        values.producer.application = values.producer.application ?? App.name
        if values.producer.clientID == ProducerSettings().clientID { values.producer.clientID = App.name }
        if values.consumer.clientID == ConsumerSettings().clientID { values.consumer.clientID = App.name }
        if environment["DIONYSUS_TOPIC_PREFIX"] != nil || application.consumer.topicPrefix.isEmpty {
            values.consumer.topicPrefix = values.producer.topicPrefix
        }
        values.producer.memoryBudget = values.memoryBudget
        values.consumer.memoryBudget = values.memoryBudget
        values.brokerSettings = values.brokerAccess.merged(with: values.brokerSettings, &faults)
        if values.schemaRegistry.password == nil, let file = values.schemaRegistryPasswordFile {
            let name = "DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE"
            values.schemaRegistry.password = SecretFile.secret(in: file, name, &faults)
        }
        let usesFiles = values.useFilesIfNothingIsSet(Address.all(of: App.self), application: App.name)
        if values.databaseConnections < 1 { faults.append("DIONYSUS_DATABASE_CONNECTIONS must be at least 1") }
        do { _ = try OutboxTables(values.outboxTable) } catch { faults.append("DIONYSUS_OUTBOX_TABLE: \(error)") }
        if let file = values.contractFile {
            do { values.consumer.contract = try Contract.load(from: file) } catch {
                faults.append("DIONYSUS_CONTRACT: \(error)")
            }
        }
        faults += values.producer.faults
        // Faults that both sides share are listed once.
        faults += values.consumer.faults.filter { !faults.contains($0) }
        guard faults.isEmpty else {
            throw DionysusError(.configuration, "the settings are wrong: \(faults.joined(separator: "; "))")
        }
        return ResolvedSettings(values: values, sources: sources, usesFiles: usesFiles)
    }
}
