import Dionysus
import DionysusApplication
import DionysusSchemas

extension ApplicationSettings {
    /// The settings that a file has.
    init(_ root: FileNode?, _ faults: FileFaults) {
        self.init()
        let name = root?["name"]?.text ?? "dionysus"
        producer.clientID = name
        consumer.clientID = name
        producer.application = name
        sourceDatabaseURL = root?["source"]?["database"]?.text ?? ""
        replicaDatabaseURL = root?["replica"]?["database"]?.text ?? ""
        seedBroker = root?["broker"]?["seed"]?.text ?? ""
        if let registry = root?["broker"]?["registry"]?.text {
            schemaRegistry.urls = SchemaRegistrySettings.urls(registry)
        }
        for entry in root?["settings"]?.entries ?? [] {
            guard let setting = FileSetting.all.first(where: { $0.key == entry.name }), let text = entry.value.text,
                let fault = setting.parse(text, &self)
            else { continue }
            faults.add(entry.value.place, "\(entry.name) \(fault)")
        }
    }
}
