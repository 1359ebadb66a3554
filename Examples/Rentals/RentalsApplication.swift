import ArgumentParser
import Dionysus
import DionysusApplication

@main
struct RentalsApplication: DionysusApplication {
    static let name = "rentals"
    static let commands: [any ParsableCommand.Type] = [
        SeedCommand.self, TrafficCommand.self, DemoCommand.self, VerifyCommand.self,
    ]

    let producer = BookingSync()
    let consumer = RentalMirror()

    var settings: ApplicationSettings {
        var settings = ApplicationSettings()
        settings.sourceDatabaseURL = "sqlite:rentals-data/source.sqlite"
        settings.replicaDatabaseURL = "sqlite:rentals-data/replica.sqlite"
        settings.seedBroker = "embedded:rentals-data/log.sqlite"
        settings.producer.clientID = "rentals"
        return settings
    }

    func migrateSource(_ transaction: inout Transaction) throws { try SourceSchema.create(in: &transaction) }
    func migrateReplica(_ transaction: inout Transaction) throws { try ReplicaSchema.create(in: &transaction) }
}
