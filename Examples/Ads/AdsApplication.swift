import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusConsumer
import DionysusEvents
import DionysusProducer
import Foundation
import ServiceLifecycle

@main
struct AdsApplication: DionysusApplication {
    static let name = "ads"
    static let commands: [any ParsableCommand.Type] = [
        CreateCommand.self, RepriceCommand.self, RenameCommand.self, PublishCommand.self, RemoveCommand.self,
        HistoryCommand.self, BoardCommand.self, RebuildCommand.self,
    ]

    let producer = AdEvents()
    let consumer = AdBoardKeeper()

    /// One database holds the streams and the read model.
    var settings: ApplicationSettings {
        var settings = ApplicationSettings()
        let url = ProcessInfo.processInfo.environment["ADS_DATABASE_URL"] ?? "sqlite:ads-data/ads.sqlite"
        settings.sourceDatabaseURL = url
        settings.replicaDatabaseURL = url
        settings.seedBroker = "embedded:ads-data/log.sqlite"
        // An event that can't be published holds the later ones of its ad.
        settings.producer.onFailure = .holdPartitionKey
        return settings
    }

    func migrateSource(_ transaction: inout Transaction) throws { try EventSchema.create(in: &transaction) }
    func migrateReplica(_ transaction: inout Transaction) throws { try AdStreams.board.create(in: &transaction) }

    /// The global order of events grows as they are published, and metrics say how far the board is.
    func relayServices(_ source: any CapturingDatabase) -> [any Service] {
        [EventOrdering(source), ProjectionMonitor(source)]
    }
}

/// What is published: the events of all ads, in one topic.
struct AdEvents: Producer {
    var namespaces: [Namespace] {
        Namespace("ads", serializers: .streamEvents) {
            Topic.streamEvents("events", of: AdStreams.store.types)
        }
    }
}

/// What is consumed: the events, by the board.
struct AdBoardKeeper: Consumer {
    var namespaces: [Namespace] {
        // An event that fails must not be passed by the next one of its ad.
        Namespace("ads") { Topic("events", accepting: [StreamEvent.modelName]).onFailure(.stop) }
    }

    var models: Models { Follow(AdStreams.board) }
}
