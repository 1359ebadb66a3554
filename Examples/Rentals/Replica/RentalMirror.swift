import Dionysus
import DionysusConsumer

/// The replica's declaration.
///
/// Its tables follow the convention: accounts, rentals, bookings, bookings_fees.
struct RentalMirror: Consumer {
    /// Called for every event after its effect has been committed.
    var onConsumed: @Sendable (ConsumedEvent) -> Void = { _ in }
    /// Whether the topics of the feed are declared, too.
    var hasFeed = Feed.isDeclared

    var namespaces: [Namespace] {
        Namespace("v3") {
            Topic("accounts", accepting: ["Account"]).eventLog().verified()
            Topic("rentals", accepting: ["Rental"]).deadLetterQueue("dead_messages", maxRetries: 2).verified()
            Topic("bookings", accepting: ["Booking", "BookingsFee"])
                .deadLetterQueue("dead_messages", maxRetries: 2).verified()
        }
        if hasFeed { Feed.consumed }
    }

    var models: Models {
        Persist("Booking", table: "bookings").replacing("bookings_fees")
    }

    func didConsume(_ event: ConsumedEvent) async { onConsumed(event) }
}
