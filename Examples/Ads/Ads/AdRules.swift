import Dionysus
import DionysusEvents

/// An ad, as decisions need it.
struct Ad: Sendable, Equatable {
    enum State: String, Sendable {
        case missing
        case draft
        case published
        case removed
    }

    var state = State.missing
    var title = ""
    var price: ExactDecimal = 0
}

/// What can be asked of an ad.
enum AdCommand: Sendable {
    case create(title: String, price: ExactDecimal)
    case reprice(ExactDecimal)
    case rename(String)
    case publish
    case remove
}

/// A command that the rules forbid.
struct Forbidden: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The rules: an ad is created as a draft, may change while it is there, is published once, and is removed for good.
struct AdRules: Decider {
    let initialState = Ad()

    func decide(_ command: AdCommand, _ ad: Ad) throws -> [any Event] {
        switch (command, ad.state) {
        case (.create(let title, let price), .missing):
            try check(title)
            try check(price)
            return [AdCreated(title: title, price: price)]
        case (.create, _): throw Forbidden("the ad exists already")
        case (_, .missing): throw Forbidden("there is no such ad")
        case (_, .removed): throw Forbidden("the ad has been removed")
        case (.reprice(let price), _):
            try check(price)
            return price == ad.price ? [] : [AdPriceChanged(price: price)]
        case (.rename(let title), _):
            try check(title)
            return title == ad.title ? [] : [AdTitleChanged(title: title)]
        case (.publish, .published): throw Forbidden("the ad is published already")
        case (.publish, .draft): return [AdPublished()]
        case (.remove, _): return [AdRemoved()]
        }
    }

    func evolve(_ ad: inout Ad, _ event: any Event) {
        switch event {
        case let event as AdCreated: ad = Ad(state: .draft, title: event.title, price: event.price)
        case let event as AdPriceChanged: ad.price = event.price
        case let event as AdTitleChanged: ad.title = event.title
        case is AdPublished: ad.state = .published
        case is AdRemoved: ad.state = .removed
        default: break
        }
    }

    private func check(_ title: String) throws {
        guard title.contains(where: { !$0.isWhitespace }), title.utf8.count <= 1_000, !title.utf8.contains(0) else {
            throw Forbidden("a title has from 1 to 1,000 bytes, and not only spaces")
        }
    }

    private func check(_ price: ExactDecimal) throws {
        guard price >= 0, price < 10_000_000_000 else { throw Forbidden("a price is from 0 to below 10,000,000,000") }
    }
}
