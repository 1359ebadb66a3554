import Dionysus
import DionysusApplication
import DionysusProducer

struct Widget: Model {
    var id: Int
    var name: String

    enum CodingKeys: String, CodingKey { case id, name }
}

struct WidgetSerializer: ModelSerializer {
    var fields: Fields<Widget> { Attributes(.id, .name) }
}

struct WidgetSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v1", serializers: Serializers { WidgetSerializer() }) { Topic("widgets") { Publish(Widget.self) } }
    }
}

@main struct PublisherTool: DionysusApplication {
    static let name = "publisher"
    let producer = WidgetSync()

    func migrateSource(_ transaction: inout Transaction) throws {
        try transaction.run("CREATE TABLE IF NOT EXISTS widgets (id integer PRIMARY KEY, name text NOT NULL)")
    }
}
