import Dionysus
import DionysusEvents

struct AdCreated: Event {
    static let eventName = "AdCreated"
    var title: String
    var price: ExactDecimal
}

struct AdPriceChanged: Event {
    static let eventName = "AdPriceChanged"
    var price: ExactDecimal
}

struct AdTitleChanged: Event {
    static let eventName = "AdTitleChanged"
    var title: String
}

struct AdPublished: Event {
    static let eventName = "AdPublished"
}

struct AdRemoved: Event {
    static let eventName = "AdRemoved"
}

/// The streams of ads, and what follows from them.
enum AdStreams {
    static let store = EventStore(
        EventTypes(AdCreated.self, AdPriceChanged.self, AdTitleChanged.self, AdPublished.self, AdRemoved.self)
    )
    static let ads = Repository(AdRules(), category: "ad", store)
    static let board = Projector(AdBoard(), store)
}
