import ArgumentParser
import Dionysus
import DionysusApplication

@main
struct RentalsApplication: DionysusApplication {
    static let name = "rentals"
    static let commands: [any ParsableCommand.Type] = [
        SeedCommand.self, TrafficCommand.self, DemoCommand.self, VerifyCommand.self, AnnounceCommand.self,
    ]

    let producer = BookingSync()
    let consumer = RentalMirror()

    func migrateSource(_ transaction: inout Transaction) throws { try SourceSchema.create(in: &transaction) }
    func migrateReplica(_ transaction: inout Transaction) throws {
        try ReplicaSchema.create(in: &transaction)
        if consumer.hasFeed { try Feed.createReplica(in: &transaction) }
    }
}
